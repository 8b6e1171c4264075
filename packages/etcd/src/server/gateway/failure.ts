import { STATUS_CODES } from "node:http";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { statusOf, type Status } from "../transport/status.ts";
import { JsonError, quoteJson } from "./json-value.ts";

const { INVALID_ARGUMENT, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED } = GRPC_STATUS;

/** HTTP statuses of gRPC's, by number. Source: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const HTTP_STATUSES = [
  200, 408, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
] as const;

/** What a request that failed is answered with. */
export interface Failure {
  readonly httpStatus: number;
  readonly body: string;
}

/** The answer of a call with one answer. */
export function failureOf(error: unknown): Failure {
  const { code, message, httpStatus } = describe(error);
  const text = quoteJson(message);
  return { httpStatus, body: `{"error":${text},"code":${code},"message":${text}}` };
}

/** The last line of a call with many answers. */
export function streamFailureOf(error: unknown): Failure {
  const { code, message, httpStatus } = describe(error);
  const status = quoteJson(STATUS_CODES[httpStatus] ?? "");
  const body = `{"error":{"grpc_code":${code},"http_code":${httpStatus},"message":${quoteJson(message)},"http_status":${status}}}\n`;
  return { httpStatus, body };
}

/** gRPC's refusal of a message above its limit. */
export function tooLarge(bytes: number, most: number): EtcdError {
  const message = `grpc: received message larger than max (${bytes} vs. ${most})`;
  return new EtcdError("REQUEST_TOO_LARGE", message, { grpcStatus: RESOURCE_EXHAUSTED });
}

/** The time that the caller gave is over. */
export function deadlineExceeded(): EtcdError {
  return new EtcdError("TIMEOUT", "context deadline exceeded", { grpcStatus: DEADLINE_EXCEEDED });
}

function describe(error: unknown): Status & { readonly httpStatus: number } {
  const status =
    error instanceof JsonError ? { code: INVALID_ARGUMENT, message: error.message } : statusOf(error);
  return { ...status, httpStatus: HTTP_STATUSES[status.code] ?? 500 };
}
