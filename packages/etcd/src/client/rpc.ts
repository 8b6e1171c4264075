// gRPC methods as grpc-js wants them, made from the descriptors that protobuf-es generates.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";
import { Auth } from "../proto/generated/etcdserverpb/auth_pb.ts";
import { Cluster } from "../proto/generated/etcdserverpb/cluster_pb.ts";
import { KV } from "../proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../proto/generated/etcdserverpb/lease_pb.ts";
import { Maintenance } from "../proto/generated/etcdserverpb/maintenance_pb.ts";
import { Watch } from "../proto/generated/etcdserverpb/watch_pb.ts";
import { MAX_TXN_OPS } from "./limits.ts";

/** One method: where it is, and how its messages become bytes and back. */
export type Rpc<I extends DescMessage, O extends DescMessage> = MethodDefinition<
  MessageInitShape<I>,
  MessageShape<O>
>;

/** A transaction inside another takes two messages, and there can be one for each operation. */
const DEEPEST_ANSWER = 2 * MAX_TXN_OPS + 10;

type Method<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly input: I;
  readonly output: O;
};

/** A method, made from its descriptor. */
export function rpc<I extends DescMessage, O extends DescMessage>(method: Method<I, O>): Rpc<I, O> {
  const { input, output, methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (value) => Buffer.from(toBinary(input, create(input, value))),
    requestDeserialize: () => unused(),
    responseSerialize: () => unused(),
    responseDeserialize: (bytes) => fromBinary(output, bytes, { recursionLimit: DEEPEST_ANSWER }),
  };
}

function unused(): never {
  throw new TypeError("a client only writes requests and reads responses");
}

/** The methods that the client calls. */
export const RPC = {
  range: rpc(KV.method.range),
  put: rpc(KV.method.put),
  deleteRange: rpc(KV.method.deleteRange),
  txn: rpc(KV.method.txn),
  compact: rpc(KV.method.compact),
  watch: rpc(Watch.method.watch),
  leaseGrant: rpc(Lease.method.leaseGrant),
  leaseRevoke: rpc(Lease.method.leaseRevoke),
  leaseKeepAlive: rpc(Lease.method.leaseKeepAlive),
  leaseTimeToLive: rpc(Lease.method.leaseTimeToLive),
  authenticate: rpc(Auth.method.authenticate),
  leaseLeases: rpc(Lease.method.leaseLeases),
  memberList: rpc(Cluster.method.memberList),
  memberAdd: rpc(Cluster.method.memberAdd),
  memberRemove: rpc(Cluster.method.memberRemove),
  memberUpdate: rpc(Cluster.method.memberUpdate),
  memberPromote: rpc(Cluster.method.memberPromote),
  status: rpc(Maintenance.method.status),
  alarm: rpc(Maintenance.method.alarm),
  defragment: rpc(Maintenance.method.defragment),
  hashKv: rpc(Maintenance.method.hashKV),
  moveLeader: rpc(Maintenance.method.moveLeader),
  snapshot: rpc(Maintenance.method.snapshot),
} as const;
