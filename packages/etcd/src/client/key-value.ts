// Keys and their values as the rest of the world sees them: text keys, plain numbers, and ranges by prefix.
import { EtcdError } from "../errors.ts";
import type { KeyValue as WireKeyValue } from "../proto/generated/mvccpb_pb.ts";
import { boundedBytes, keyBytes, wholeNumber } from "./limits.ts";

/** One key with its value at one revision. */
export interface KeyValue {
  /** UTF-8 text; bytes that are none (another program wrote them) appear as U+FFFD. */
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision at which the key came to exist. */
  readonly createRevision: number;
  /** Revision of the last write. */
  readonly modRevision: number;
  /** Writes since the key exists, 1 at creation; 0 in the trace that a deletion leaves. */
  readonly version: number;
  /** Lease that the key hangs on, 0n for none. */
  readonly lease: bigint;
}

/** One key; all keys that begin with `prefix` ("" for every key); or those from `from` until before `to`. */
export type KeySelector =
  | { readonly key: string }
  | { readonly prefix: string }
  | { readonly from: string; readonly to: string };

const decoder = new TextDecoder();
const ZERO = new Uint8Array(1);
const NONE = new Uint8Array(0);

/**
 * A selector as the wire has it.
 * @throws EtcdError INVALID_ARGUMENT
 */
export function rangeOf(selector: KeySelector): { key: Uint8Array; rangeEnd: Uint8Array } {
  if ("key" in selector) return { key: keyBytes(selector.key), rangeEnd: NONE };
  if ("prefix" in selector) return prefixRange(boundedBytes(selector.prefix));
  const key = keyBytes(selector.from);
  const rangeEnd = keyBytes(selector.to);
  if (Buffer.compare(key, rangeEnd) >= 0) {
    throw new EtcdError("INVALID_ARGUMENT", `the range from "${selector.from}" to "${selector.to}" is empty`);
  }
  return { key, rangeEnd };
}

/** UTF-8 has no byte 0xff, so the last byte can always be counted up. */
function prefixRange(prefix: Uint8Array): { key: Uint8Array; rangeEnd: Uint8Array } {
  if (prefix.length === 0) return { key: ZERO, rangeEnd: ZERO };
  const rangeEnd = prefix.slice();
  rangeEnd[rangeEnd.length - 1]! += 1;
  return { key: prefix, rangeEnd };
}

/**
 * A pair from the wire.
 * @throws EtcdError BAD_RESPONSE
 */
export function toKeyValue(wire: WireKeyValue): KeyValue {
  return {
    key: decoder.decode(wire.key),
    value: wire.value,
    createRevision: wholeNumber(wire.createRevision),
    modRevision: wholeNumber(wire.modRevision),
    version: wholeNumber(wire.version),
    lease: wire.lease,
  };
}
