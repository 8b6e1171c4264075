// Every identity may be shortened as long as it stays unique.
import { KeelError } from "../base/errors.ts";
import type { ErrorCode } from "../base/error-catalogue.ts";

export interface Candidate<T> {
  /** What it may be called by: a name, an identity. */
  readonly names: readonly string[];
  readonly value: T;
}

/**
 * The candidate with exactly this name, or else the only one with a name that starts with it.
 * Throws `code` when none or several fit, listing them.
 */
export function byPrefix<T>(
  text: string,
  candidates: readonly Candidate<T>[],
  missing: { code: ErrorCode; what: string },
): T {
  const exact = candidates.find((candidate) => candidate.names.includes(text));
  if (exact) return exact.value;
  const fitting =
    text === ""
      ? []
      : candidates.filter((candidate) => candidate.names.some((name) => name.startsWith(text)));
  const [first, second] = fitting;
  if (first && !second) return first.value;
  if (first) {
    const names = fitting.map((candidate) => candidate.names[0]).join(", ");
    throw new KeelError(missing.code, `"${text}" fits several ${missing.what}s: ${names}`);
  }
  throw new KeelError(missing.code, `no ${missing.what} "${text}"`);
}
