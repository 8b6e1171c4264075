// Errors on their way out: which HTTP status each code has, and the one shape they all share.
import { KeelError } from "../base/errors.ts";
import type { ErrorBody } from "../base/errors.ts";
import { errorCatalogue } from "../base/error-catalogue.ts";
import type { ErrorCode } from "../base/error-catalogue.ts";
import { isStoreAway } from "../registry/store-client.ts";

const statusOfExit = {
  done: 200,
  failed: 500,
  usage: 400,
  planHasChanges: 200,
  refused: 409,
  timedOut: 504,
  partly: 500,
  notFound: 404,
  conflict: 409,
  unreachable: 503,
} as const;

const ownStatus: Partial<Record<ErrorCode, number>> = { "KEEL-604": 403, "KEEL-605": 413 };

/** The HTTP status that an error of this code is answered with. */
export function statusOf(code: ErrorCode): number {
  return ownStatus[code] ?? statusOfExit[errorCatalogue[code].exit];
}

/** An answer with an error in the API's shape. */
export function errorAnswer(
  body: ErrorBody,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify({ error: body }), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

/**
 * An error with its remedy from the catalogue, should it carry no hint of its own. Whatever is no KeelError
 * becomes KEEL-900 without its text: that goes to the log, not to the asker.
 */
export function errorBodyOf(error: unknown): { readonly body: ErrorBody; readonly status: number } {
  if (!(error instanceof KeelError)) {
    if (isStoreAway(error))
      return errorBodyOf(new KeelError("KEEL-401", "the store cannot be reached", { cause: error }));
    const body = { code: "KEEL-900", message: "internal error", hint: errorCatalogue["KEEL-900"].remedy };
    return { body, status: 500 };
  }
  const hint = error.hint ?? errorCatalogue[error.code].remedy;
  return { body: { ...error.toJSON(), hint }, status: statusOf(error.code) };
}

export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}
