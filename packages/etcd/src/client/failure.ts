// From what grpc-js reports to this package's one error, and what a failure says about the request.
import { inspect } from "node:util";
import { EtcdError, GRPC_STATUS, SERVER_REFUSALS } from "../errors.ts";
import type { EtcdErrorCode, RefusalCode } from "../errors.ts";

const CODE_BY_WORDS: ReadonlyMap<string, RefusalCode> = new Map(
  Object.entries(SERVER_REFUSALS).map(([code, [, words]]) => [words, code as RefusalCode]),
);

const CODE_BY_STATUS: Readonly<Record<number, EtcdErrorCode>> = {
  [GRPC_STATUS.CANCELLED]: "UNAVAILABLE",
  [GRPC_STATUS.INVALID_ARGUMENT]: "INVALID_ARGUMENT",
  [GRPC_STATUS.DEADLINE_EXCEEDED]: "TIMEOUT",
  [GRPC_STATUS.NOT_FOUND]: "INVALID_ARGUMENT",
  [GRPC_STATUS.PERMISSION_DENIED]: "PERMISSION_DENIED",
  [GRPC_STATUS.FAILED_PRECONDITION]: "INVALID_ARGUMENT",
  [GRPC_STATUS.OUT_OF_RANGE]: "INVALID_ARGUMENT",
  [GRPC_STATUS.UNIMPLEMENTED]: "UNIMPLEMENTED",
  [GRPC_STATUS.UNAVAILABLE]: "UNAVAILABLE",
  [GRPC_STATUS.UNAUTHENTICATED]: "UNAUTHENTICATED",
};

/** grpc-js's own words for an answer that it could not make sense of; the statuses that it gives vary. */
const UNREADABLE = [
  "Response message parsing error",
  "Received message larger than max",
  "No message received",
  "Too many responses received",
] as const;

/** How a sealed store begins its refusal of a write; the words that follow say where it goes on. */
const SEALED_WORDS = "keelson: the store ";

/** Failures that may pass when the same request is made again. */
const PASSING: ReadonlySet<EtcdErrorCode> = new Set([
  "REFUSED",
  "TIMEOUT",
  "UNAVAILABLE",
  "NO_LEADER",
  "LEADER_CHANGED",
  "SERVER_STOPPED",
  "SERVER_TIMEOUT",
  "UNHEALTHY",
  "TOO_MANY_REQUESTS",
  "SEALED",
] satisfies EtcdErrorCode[]);

/** Failures after which a write that was sent may have been carried out all the same. */
const OPEN: ReadonlySet<EtcdErrorCode> = new Set([
  "TIMEOUT",
  "UNAVAILABLE",
  "LEADER_CHANGED",
  "SERVER_STOPPED",
  "SERVER_TIMEOUT",
  "UNHEALTHY",
  "BAD_RESPONSE",
  "INTERNAL",
] satisfies EtcdErrorCode[]);

/** The server itself asks to go elsewhere or to come again. */
const MEMBER_UNWELL: ReadonlySet<EtcdErrorCode> = new Set([
  "NO_LEADER",
  "SERVER_STOPPED",
  "SERVER_TIMEOUT",
  "UNHEALTHY",
] satisfies EtcdErrorCode[]);

/** May the same request succeed a moment later? */
export function mayPass(error: EtcdError): boolean {
  return PASSING.has(error.code);
}

/** After this answer to a write that was sent: is it unknown whether it was carried out? */
export function leavesOpen(error: EtcdError): boolean {
  return OPEN.has(error.code);
}

/** Would another member of the cluster do better? */
export function memberUnwell(error: EtcdError): boolean {
  return MEMBER_UNWELL.has(error.code);
}

/** Did the server answer, if only to refuse? Such an answer proves contact. */
export function isAnswer(error: EtcdError): boolean {
  return error.grpcStatus !== undefined && !PASSING.has(error.code) && !OPEN.has(error.code);
}

/** Classifies whatever a call failed with; `doing` begins the message ("put of a key at host:port"). */
export function toEtcdError(error: unknown, doing: string): EtcdError {
  if (error instanceof EtcdError) return error;
  const { code: status, details } = (error ?? {}) as { code?: unknown; details?: unknown };
  if (typeof status !== "number" || typeof details !== "string") {
    return new EtcdError("INTERNAL", `${doing}: ${error instanceof Error ? error.message : inspect(error)}`, {
      cause: error,
    });
  }
  return new EtcdError(codeOf(status, details), `${doing}: ${details === "" ? "failed" : details}`, {
    grpcStatus: status,
    cause: error,
  });
}

/** The refusal that has these words, if any has. */
export function codeOfWords(words: string): RefusalCode | undefined {
  return CODE_BY_WORDS.get(words);
}

function codeOf(status: number, details: string): EtcdErrorCode {
  const refusal = codeOfWords(details);
  if (refusal !== undefined) return refusal;
  // etcd adds its guess at the cause after a comma.
  if (details.startsWith(`${SERVER_REFUSALS.SERVER_TIMEOUT[1]},`)) return "SERVER_TIMEOUT";
  if (status === GRPC_STATUS.UNAVAILABLE && details.startsWith(SEALED_WORDS)) return "SEALED";
  if (UNREADABLE.some((words) => details.startsWith(words))) return "BAD_RESPONSE";
  return CODE_BY_STATUS[status] ?? "INTERNAL";
}
