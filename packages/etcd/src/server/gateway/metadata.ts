import type { IncomingHttpHeaders } from "node:http";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import type { Call } from "../transport/call.ts";

const METADATA_PREFIX = "grpc-metadata-";
const TIMEOUT_UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
const LONGEST_MS = 2 ** 31 - 1;

/** What a request's headers are as metadata: the token, and what is marked as metadata. */
export function metadataOf(headers: IncomingHttpHeaders): Call["metadata"] {
  const metadata: Record<string, string | string[] | undefined> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name === "authorization") metadata[name] = value;
    else if (name.startsWith(METADATA_PREFIX) && name.length > METADATA_PREFIX.length) {
      metadata[name.slice(METADATA_PREFIX.length)] = value;
    }
  }
  return metadata;
}

/** Milliseconds that the caller gives the call, from the header Grpc-Timeout; undefined without one. */
export function timeoutOf(headers: IncomingHttpHeaders): number | undefined {
  const text = headers["grpc-timeout"];
  if (typeof text !== "string" || text === "") return undefined;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new EtcdError("INVALID_ARGUMENT", `invalid grpc-timeout: ${text}`, {
      grpcStatus: GRPC_STATUS.INVALID_ARGUMENT,
    });
  }
  return Math.min(LONGEST_MS, Math.ceil(Number(digits) * (TIMEOUT_UNITS[unit] ?? 0)));
}
