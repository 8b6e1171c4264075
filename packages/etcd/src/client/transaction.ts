// Transactions: conditions and operations that are carried out together or not at all.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { EtcdError } from "../errors.ts";
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
} from "../proto/generated/etcdserverpb/kv_pb.ts";
import type {
  CompareSchema,
  RequestOpSchema,
  ResponseOp,
  TxnRequestSchema,
} from "../proto/generated/etcdserverpb/kv_pb.ts";
import { rangeOf, toKeyValue } from "./key-value.ts";
import type { KeySelector, KeyValue } from "./key-value.ts";
import { keyBytes, MAX_TXN_OPS, revisionBits, valueBytes, wholeNumber } from "./limits.ts";

export type Comparison = "=" | "!=" | ">" | "<";

/** A condition of a transaction; made by {@link compare}. */
export interface Compare {
  readonly wire: MessageInitShape<typeof CompareSchema>;
}

/** An operation of a transaction; made by {@link op}. */
export interface Op {
  readonly wire: MessageInitShape<typeof RequestOpSchema>;
  /** Operations that a transaction inside counts for, besides the one that it is. */
  readonly weight?: number;
}

/** What an operation of a transaction answered, in the order of the operations. */
export type OpResult =
  | { readonly type: "put"; readonly previous: KeyValue | undefined }
  | { readonly type: "delete"; readonly deleted: number; readonly previous: readonly KeyValue[] }
  | { readonly type: "get"; readonly kvs: readonly KeyValue[]; readonly count: number }
  | { readonly type: "txn"; readonly succeeded: boolean; readonly responses: readonly OpResult[] };

export interface Transaction {
  /** Conditions; without any the transaction succeeds. */
  readonly compare?: readonly Compare[] | undefined;
  /** Carried out when every condition holds. */
  readonly success: readonly Op[];
  /** Carried out otherwise. */
  readonly failure?: readonly Op[] | undefined;
}

const RESULTS = { "=": Result.EQUAL, "!=": Result.NOT_EQUAL, ">": Result.GREATER, "<": Result.LESS } as const;

function condition(
  key: string,
  comparison: Comparison,
  target: Target,
  targetUnion: NonNullable<MessageInitShape<typeof CompareSchema>["targetUnion"]>,
): Compare {
  return { wire: { key: keyBytes(key), result: RESULTS[comparison], target, targetUnion } };
}

/** Conditions on one key. A key that does not exist has revisions, version and lease 0, and no value. */
export const compare = {
  modRevision: (key: string, comparison: Comparison, revision: number): Compare =>
    condition(key, comparison, Target.MOD, { case: "modRevision", value: revisionBits(revision, 0) }),
  createRevision: (key: string, comparison: Comparison, revision: number): Compare =>
    condition(key, comparison, Target.CREATE, { case: "createRevision", value: revisionBits(revision, 0) }),
  version: (key: string, comparison: Comparison, version: number): Compare =>
    condition(key, comparison, Target.VERSION, { case: "version", value: revisionBits(version, 0) }),
  value: (key: string, comparison: Comparison, value: string | Uint8Array): Compare =>
    condition(key, comparison, Target.VALUE, { case: "value", value: valueBytes(value) }),
  lease: (key: string, comparison: Comparison, lease: bigint): Compare =>
    condition(key, comparison, Target.LEASE, { case: "lease", value: lease }),
  /** No key of the selection exists. */
  absent: (selector: KeySelector): Compare => ({
    wire: {
      ...rangeOf(selector),
      result: Result.EQUAL,
      target: Target.CREATE,
      targetUnion: { case: "createRevision", value: 0n },
    },
  }),
} as const;

export interface PutOptions {
  /** Lease to hang the key on; without it the key hangs on none, whatever it did before. */
  readonly lease?: bigint | undefined;
  /** Also answer the pair before the write. */
  readonly prevKv?: boolean | undefined;
}

/** Operations. */
export const op = {
  put: (key: string, value: string | Uint8Array, options: PutOptions = {}): Op => ({
    wire: {
      request: {
        case: "requestPut",
        value: {
          key: keyBytes(key),
          value: valueBytes(value),
          lease: options.lease ?? 0n,
          prevKv: options.prevKv ?? false,
        },
      },
    },
  }),
  delete: (selector: KeySelector, options: { readonly prevKv?: boolean | undefined } = {}): Op => ({
    wire: {
      request: {
        case: "requestDeleteRange",
        value: { ...rangeOf(selector), prevKv: options.prevKv ?? false },
      },
    },
  }),
  get: (selector: KeySelector, options: { readonly limit?: number | undefined } = {}): Op => ({
    wire: {
      request: {
        case: "requestRange",
        value: { ...rangeOf(selector), limit: revisionBits(options.limit ?? 0, 0) },
      },
    },
  }),
  /** A transaction inside another. Its conditions are looked at before the outer one changes anything. */
  txn: (transaction: Transaction): Op => {
    const value = transactionRequest(transaction);
    return { wire: { request: { case: "requestTxn", value } }, weight: weightOf(transaction) };
  },
} as const;

/**
 * A transaction as the wire has it.
 * @throws EtcdError TOO_MANY_OPS
 */
export function transactionRequest(transaction: Transaction): MessageInitShape<typeof TxnRequestSchema> {
  const { compare: conditions = [], success, failure = [] } = transaction;
  if (weightOf(transaction) > MAX_TXN_OPS) {
    throw new EtcdError("TOO_MANY_OPS", `a transaction has at most ${MAX_TXN_OPS} conditions or operations`);
  }
  return {
    compare: conditions.map((one) => one.wire),
    success: success.map((one) => one.wire),
    failure: failure.map((one) => one.wire),
  };
}

/** Operations as etcd counts them: the longest list, and the heaviest transaction in it. */
function weightOf({ compare: conditions = [], success, failure = [] }: Transaction): number {
  const inner = [...success, ...failure].map(({ weight = 0 }) => weight);
  return Math.max(conditions.length, success.length, failure.length) + Math.max(0, ...inner);
}

/**
 * One answer of a transaction.
 * @throws EtcdError BAD_RESPONSE
 */
export function toOpResult({ response }: ResponseOp): OpResult {
  switch (response.case) {
    case "responsePut": {
      const { prevKv } = response.value;
      return { type: "put", previous: prevKv === undefined ? undefined : toKeyValue(prevKv) };
    }
    case "responseDeleteRange":
      return {
        type: "delete",
        deleted: wholeNumber(response.value.deleted),
        previous: response.value.prevKvs.map(toKeyValue),
      };
    case "responseRange":
      return {
        type: "get",
        kvs: response.value.kvs.map(toKeyValue),
        count: wholeNumber(response.value.count),
      };
    case "responseTxn":
      return {
        type: "txn",
        succeeded: response.value.succeeded,
        responses: response.value.responses.map(toOpResult),
      };
    case undefined:
      throw new EtcdError("BAD_RESPONSE", "the server answered an operation that was not asked for");
  }
}
