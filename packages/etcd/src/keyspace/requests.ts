// What can be asked of the keyspace, and what it answers: etcd's KV messages (api/etcdserverpb/rpc.proto) with
// keys and values as latin1 strings.

import type { Version } from "./version.ts";

/** Keys from `start` (inclusive) to `end` (exclusive, undefined: no bound), or just `start` if `point`. */
export interface KeyRange {
  readonly start: string;
  readonly end: string | undefined;
  readonly point: boolean;
}

/** etcd's reading of `key` and `range_end`: '' is the one key, "\0" everything from `key` on. */
export function keyRange(key: string, rangeEnd: string): KeyRange {
  if (rangeEnd === "") return { start: key, end: undefined, point: true };
  return { start: key, end: rangeEnd === "\0" ? undefined : rangeEnd, point: false };
}

/** Whether a key is one of a range. */
export function isWithin(key: string, { start, end, point }: KeyRange): boolean {
  return point ? key === start : key >= start && (end === undefined || key < end);
}

export const SORT_ORDER = { none: 0, ascend: 1, descend: 2 } as const;
export const SORT_TARGET = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const;
export const COMPARE_RESULT = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;
export const COMPARE_TARGET = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;

export interface RangeRequest {
  readonly key: string;
  readonly rangeEnd: string;
  /** 0: all. */
  readonly limit: number;
  /** 0 or less: the current one. */
  readonly revision: number;
  /** One of {@link SORT_ORDER}. */
  readonly sortOrder: number;
  /** One of {@link SORT_TARGET}. */
  readonly sortTarget: number;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly minModRevision: number;
  readonly maxModRevision: number;
  readonly minCreateRevision: number;
  readonly maxCreateRevision: number;
}

export interface PutRequest {
  readonly key: string;
  readonly value: string;
  readonly lease: bigint;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface DeleteRangeRequest {
  readonly key: string;
  readonly rangeEnd: string;
  readonly prevKv: boolean;
}

export interface Compare {
  /** One of {@link COMPARE_RESULT}. */
  readonly result: number;
  /** One of {@link COMPARE_TARGET}. */
  readonly target: number;
  readonly key: string;
  readonly rangeEnd: string;
  /** Which target the operand was given for; one for another target counts as 0 or empty. */
  readonly operandOf: number | undefined;
  readonly operand: number | bigint | string;
}

export type Operation =
  | { readonly kind: "range"; readonly request: RangeRequest }
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "delete"; readonly request: DeleteRangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  /** An operation without a request: refused. */
  | { readonly kind: "none" };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}

export interface RangeResult {
  readonly kind: "range";
  readonly revision: number;
  readonly versions: readonly Version[];
  readonly more: boolean;
  /** Keys in the range, before filters and limit. */
  readonly count: number;
  readonly keysOnly: boolean;
}

export interface PutResult {
  readonly kind: "put";
  readonly revision: number;
  /** Only if it was asked for. */
  readonly previous: Version | undefined;
}

export interface DeleteRangeResult {
  readonly kind: "delete";
  readonly revision: number;
  readonly deleted: number;
  /** Only if they were asked for. */
  readonly previous: readonly Version[];
}

export interface TxnResult {
  readonly kind: "txn";
  readonly revision: number;
  readonly succeeded: boolean;
  readonly results: readonly OperationResult[];
}

export type OperationResult = RangeResult | PutResult | DeleteRangeResult | TxnResult;
