// The one error class of the product. Every code stands in error-catalogue.ts, which docs/errors.md and
// `keel explain CODE` print.
import { errorCatalogue } from "./error-catalogue.ts";
import type { ErrorCode } from "./error-catalogue.ts";

/** Exit codes of `keel`. Frozen: scripts depend on them. */
export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  planHasChanges: 3,
  refused: 4,
  timedOut: 5,
  partly: 6,
  notFound: 7,
  conflict: 8,
  unreachable: 9,
} as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

export interface KeelErrorOptions {
  /** What to do next: a command or a sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Structured facts for JSON output: a plan, a list of reasons, a position. No secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What went wrong, to what, and what to do next. */
export class KeelError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: KeelErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "KeelError";
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  get exitCode(): ExitCode {
    return exitCode[errorCatalogue[this.code].exit];
  }

  /** The shape of an error in API answers and in `-o json`. */
  toJSON(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

/** An error as it crosses the API. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Any thrown value as one line of text, with its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describeError(error.cause)})`;
  return error.message + cause;
}
