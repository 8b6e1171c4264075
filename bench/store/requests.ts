// The messages that the loads send.

import { create, toBinary } from "@bufbuild/protobuf";
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequestSchema,
  RangeRequestSchema,
  RequestOpSchema,
  TxnRequestSchema,
} from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import {
  LeaseGrantRequestSchema,
  LeaseKeepAliveRequestSchema,
} from "../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";

export const VALUE_BYTES = 256;
export const LEASE = 4711n;
const value = Buffer.alloc(VALUE_BYTES, "v");
/** Different messages of a load: enough to touch keys everywhere. */
const MESSAGES = 1000;

export const key = (number: number): Buffer => Buffer.from(`key/${String(number).padStart(8, "0")}`);

export const put = (number: number): Uint8Array =>
  toBinary(PutRequestSchema, create(PutRequestSchema, { key: key(number), value }));

export const get = (number: number, serializable = false): Uint8Array =>
  toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: key(number), serializable }));

export const hundred = (from: number): Uint8Array =>
  toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: key(from), rangeEnd: key(from + 100) }));

/** Puts a key if it exists. */
export const txn = (number: number): Uint8Array =>
  toBinary(
    TxnRequestSchema,
    create(TxnRequestSchema, {
      compare: [
        {
          key: key(number),
          target: Compare_CompareTarget.CREATE,
          result: Compare_CompareResult.GREATER,
          targetUnion: { case: "createRevision", value: 0n },
        },
      ],
      success: [{ request: { case: "requestPut", value: { key: key(number), value } } }],
      failure: [{ request: { case: "requestRange", value: { key: key(number) } } }],
    }),
  );

/** Puts `count` keys in one transaction. */
export const putMany = (from: number, count: number): Uint8Array =>
  toBinary(
    TxnRequestSchema,
    create(TxnRequestSchema, {
      success: Array.from({ length: count }, (_, place) =>
        create(RequestOpSchema, {
          request: {
            case: "requestPut",
            value: create(PutRequestSchema, { key: key(from + place), value }),
          },
        }),
      ),
    }),
  );

export const grant = (id: bigint): Uint8Array =>
  toBinary(LeaseGrantRequestSchema, create(LeaseGrantRequestSchema, { TTL: 3600n, ID: id }));

export const keepAlive = (): Uint8Array =>
  toBinary(LeaseKeepAliveRequestSchema, create(LeaseKeepAliveRequestSchema, { ID: LEASE }));

/** Messages for keys all over the first `keys` ones. */
export function spread(keys: number, message: (number: number) => Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: MESSAGES }, (_, place) => message((place * 7919) % keys));
}
