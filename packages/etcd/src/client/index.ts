export { EtcdClient } from "./etcd-client.ts";
export type {
  EtcdClientOptions,
  HashKv,
  MemberAlarm,
  MemberStatus,
  RangeOptions,
  RangeResult,
  ReadOptions,
  RequestOptions,
  WriteOptions,
} from "./etcd-client.ts";
export type { ClientAuth } from "./login.ts";
export type { ClientTls, TlsSource } from "./tls.ts";
export type { Member, NewMember } from "./members.ts";
export type { RetryOptions } from "./caller.ts";
export type { KeySelector, KeyValue } from "./key-value.ts";
export type { Clock, Log, Random } from "./surroundings.ts";
export { compare, op } from "./transaction.ts";
export type { Compare, Comparison, Op, OpResult, PutOptions, Transaction } from "./transaction.ts";
export type { WatchBatch, WatchEvent, WatchOptions, WireBatch } from "./watch.ts";
export { RPC } from "./rpc.ts";
export {
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
} from "../proto/generated/etcdserverpb/kv_pb.ts";
export { Event_EventType as EventType } from "../proto/generated/mvccpb_pb.ts";
export type { Rpc } from "./rpc.ts";
export { EtcdError, GRPC_STATUS } from "../errors.ts";
export type { EtcdErrorCode } from "../errors.ts";
export { Election } from "./election.ts";
export type { CampaignOptions, Leader } from "./election.ts";
export { Leadership } from "./leadership.ts";
export { LeaseKeeper } from "./lease-keeper.ts";
export type { LeaseEvent, LeaseKeeperOptions } from "./lease-keeper.ts";
