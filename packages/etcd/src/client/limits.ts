// Bounds of what is sent and accepted. etcd's own defaults are named where they are the reason.
import { EtcdError } from "../errors.ts";

/** Longest key in bytes. etcd knows no bound; a key this long is a mistake. */
export const MAX_KEY_BYTES = 32 * 1024;

/** Largest value in bytes: etcd's default bound of one request (`--max-request-bytes`). */
export const MAX_VALUE_BYTES = 1_572_864;

/** Most operations in one branch of a transaction, nested ones counted: etcd's default (`--max-txn-ops`). */
export const MAX_TXN_OPS = 128;

/** Largest response in bytes that is read; a larger one fails with BAD_RESPONSE. */
export const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;

/** Longest time to live in seconds that etcd grants. */
export const MAX_TTL_SECONDS = 9_000_000_000;

const encoder = new TextEncoder();

/**
 * A key as bytes.
 * @throws EtcdError INVALID_ARGUMENT when it is empty, too long or not well-formed Unicode
 */
export function keyBytes(key: string): Uint8Array {
  if (key === "") throw new EtcdError("INVALID_ARGUMENT", "a key must not be empty");
  return boundedBytes(key);
}

/** As {@link keyBytes}, but may be empty. */
export function boundedBytes(key: string): Uint8Array {
  if (!key.isWellFormed()) {
    throw new EtcdError("INVALID_ARGUMENT", `the key ${JSON.stringify(key)} is not well-formed Unicode`);
  }
  const bytes = encoder.encode(key);
  if (bytes.length > MAX_KEY_BYTES) {
    throw new EtcdError(
      "INVALID_ARGUMENT",
      `a key of ${bytes.length} bytes is over the limit of ${MAX_KEY_BYTES}`,
    );
  }
  return bytes;
}

/**
 * A value as bytes; text becomes UTF-8.
 * @throws EtcdError REQUEST_TOO_LARGE
 */
export function valueBytes(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  if (bytes.length > MAX_VALUE_BYTES) {
    throw new EtcdError(
      "REQUEST_TOO_LARGE",
      `a value of ${bytes.length} bytes is over the store's limit of ${MAX_VALUE_BYTES}`,
    );
  }
  return bytes;
}

/**
 * A revision as the wire has it.
 * @throws EtcdError INVALID_ARGUMENT unless it is a whole number from `least` on
 */
export function revisionBits(revision: number, least = 1): bigint {
  if (!Number.isSafeInteger(revision) || revision < least) {
    throw new EtcdError("INVALID_ARGUMENT", `${revision} is not a revision`);
  }
  return BigInt(revision);
}

/**
 * A number from the wire.
 * @throws EtcdError BAD_RESPONSE when it does not fit
 */
export function wholeNumber(bits: bigint): number {
  const value = Number(bits);
  if (!Number.isSafeInteger(value)) {
    throw new EtcdError("BAD_RESPONSE", `the server answered the number ${bits}, which is out of range`);
  }
  return value;
}
