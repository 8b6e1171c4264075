// The store's keys as people look at them: any bytes, whoever wrote them.
import { KeelError } from "../base/errors.ts";

/** One key at one revision. */
export interface StoredKey {
  readonly key: Uint8Array;
  /** Empty where only keys were asked for, and for a deletion. */
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Writes since the key was created, from 1; 0 marks a deletion. */
  readonly version: number;
  /** 0n for none. */
  readonly lease: bigint;
}

/** Keys from `start` until before `end`; the key `start` alone when `end` is left out. A single 0 byte has no end. */
export interface KeySpan {
  readonly start: Uint8Array;
  readonly end?: Uint8Array;
}

export interface KeyPage {
  /** The store's revision when it answered. */
  readonly revision: number;
  readonly keys: readonly StoredKey[];
  /** Keys in the span, whatever the limit. */
  readonly count: number;
  readonly more: boolean;
}

export interface KeyHistory {
  readonly revision: number;
  /** Oldest revision that can be read; 0 if all can. */
  readonly compactRevision: number;
  /** Every kept state of the key, oldest first. */
  readonly states: readonly StoredKey[];
  /** There were states before these, of which nothing is known any more. */
  readonly isCut: boolean;
}

export interface KeyChange {
  readonly span: KeySpan;
  /** The change is refused (KEEL-714) if a key of the span was written after this revision. */
  readonly unchangedSince?: number | undefined;
  /** Also change what Keelson itself keeps in the store. */
  readonly force?: boolean | undefined;
}

/** The keys of one store. Errors are KEEL-401 and 711 to 715. */
export interface StoreKeys {
  range(
    span: KeySpan,
    options?: { readonly limit?: number; readonly keysOnly?: boolean; readonly revision?: number },
  ): Promise<KeyPage>;
  /** Writes the one key of the span. */
  put(change: KeyChange, value: Uint8Array): Promise<{ readonly revision: number }>;
  remove(change: KeyChange): Promise<{ readonly revision: number; readonly removed: number }>;
  history(key: Uint8Array): Promise<KeyHistory>;
  /** Changes from a revision on, or from now on, until the signal aborts; deletions have version 0. */
  watch(
    span: KeySpan,
    options: { readonly from?: number; readonly signal: AbortSignal },
  ): AsyncIterable<readonly StoredKey[]>;
}

/** Longest key and value that are written, in bytes: what one request of the store takes. */
export const mostKeyBytes = 32 << 10;
export const mostValueBytes = 3 << 19;

const ours = Buffer.from("/keelson/");
const afterOurs = Buffer.from("/keelson0");

/** All keys that begin with these bytes; every key for none. */
export function prefixSpan(prefix: Uint8Array): KeySpan {
  const end = Buffer.from(prefix);
  for (let length = end.length; length > 0; length--) {
    const last = end[length - 1] as number;
    if (last === 0xff) continue;
    end[length - 1] = last + 1;
    return { start: prefix, end: end.subarray(0, length) };
  }
  return { start: prefix.length === 0 ? Buffer.alloc(1) : prefix, end: Buffer.alloc(1) };
}

/** Throws KEEL-711 for a change of what Keelson itself keeps, unless it is forced, and KEEL-104 for what no key is. */
export function checkChange({ span, force = false }: KeyChange): void {
  const { start, end } = span;
  if (start.length === 0 || start.length > mostKeyBytes) {
    throw new KeelError("KEEL-104", `a key has 1 to ${mostKeyBytes} bytes, not ${start.length}`);
  }
  const isEndless = end?.length === 1 && end[0] === 0;
  const beginsBefore = Buffer.compare(start, afterOurs) < 0;
  const endsBehind = isEndless || Buffer.compare(end ?? Buffer.concat([start, Buffer.alloc(1)]), ours) > 0;
  if (force || !beginsBefore || !endsBehind) return;
  throw new KeelError(
    "KEEL-711",
    "keys below /keelson/ are Keelson’s own records: units, orders, who leads. A change by hand can stop work on every machine",
  );
}
