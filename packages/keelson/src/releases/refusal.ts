// How the checks of this folder end: with facts, or with one refusal that has a code and a reason of its own.
import type { ErrorCode } from "../base/error-catalogue.ts";
import { KeelError } from "../base/errors.ts";

export interface Refusal {
  readonly code: ErrorCode;
  /** What was found, and what was expected. */
  readonly reason: string;
}

export type Verdict<Facts> =
  | { readonly accepted: true; readonly facts: Facts }
  | { readonly accepted: false; readonly refusal: Refusal };

/** Ends a check. Only {@link judge} catches it. */
export function refuse(code: ErrorCode, reason: string): never {
  throw new KeelError(code, reason);
}

/** Runs a check whose refusals are KeelErrors. Anything else that it throws goes on. */
export function judge<Facts>(check: () => Facts): Verdict<Facts> {
  try {
    return { accepted: true, facts: check() };
  } catch (error) {
    if (!(error instanceof KeelError)) throw error;
    return { accepted: false, refusal: { code: error.code, reason: error.message } };
  }
}

/** The facts of a verdict; throws its refusal as a KeelError. */
export function accepted<Facts>(verdict: Verdict<Facts>): Facts {
  if (verdict.accepted) return verdict.facts;
  throw new KeelError(verdict.refusal.code, verdict.refusal.reason);
}
