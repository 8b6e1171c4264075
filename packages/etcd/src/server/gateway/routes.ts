import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Auth } from "../../proto/generated/etcdserverpb/auth_pb.ts";
import { Cluster } from "../../proto/generated/etcdserverpb/cluster_pb.ts";
import { KV } from "../../proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../proto/generated/etcdserverpb/lease_pb.ts";
import { Maintenance } from "../../proto/generated/etcdserverpb/maintenance_pb.ts";
import { Watch } from "../../proto/generated/etcdserverpb/watch_pb.ts";
import { Election } from "../../proto/generated/v3electionpb_pb.ts";
import { Lock } from "../../proto/generated/v3lockpb_pb.ts";

/**
 * Paths of the JSON gateway below /v3/, by service and method.
 * Source: the google.api.http options of etcd's rpc.proto, v3lock.proto and v3election.proto.
 */
const PATHS: readonly (readonly [DescService, Readonly<Record<string, readonly string[]>>])[] = [
  [
    KV,
    {
      Range: ["kv/range"],
      Put: ["kv/put"],
      DeleteRange: ["kv/deleterange"],
      Txn: ["kv/txn"],
      Compact: ["kv/compaction"],
    },
  ],
  [Watch, { Watch: ["watch"] }],
  [
    Lease,
    {
      LeaseGrant: ["lease/grant"],
      LeaseRevoke: ["lease/revoke", "kv/lease/revoke"],
      LeaseKeepAlive: ["lease/keepalive"],
      LeaseTimeToLive: ["lease/timetolive", "kv/lease/timetolive"],
      LeaseLeases: ["lease/leases", "kv/lease/leases"],
    },
  ],
  [
    Cluster,
    {
      MemberAdd: ["cluster/member/add"],
      MemberRemove: ["cluster/member/remove"],
      MemberUpdate: ["cluster/member/update"],
      MemberList: ["cluster/member/list"],
      MemberPromote: ["cluster/member/promote"],
    },
  ],
  [
    Maintenance,
    {
      Alarm: ["maintenance/alarm"],
      Status: ["maintenance/status"],
      Defragment: ["maintenance/defragment"],
      Hash: ["maintenance/hash"],
      HashKV: ["maintenance/hashkv"],
      Snapshot: ["maintenance/snapshot"],
      MoveLeader: ["maintenance/transfer-leadership"],
      Downgrade: ["maintenance/downgrade"],
    },
  ],
  [
    Auth,
    {
      AuthEnable: ["auth/enable"],
      AuthDisable: ["auth/disable"],
      AuthStatus: ["auth/status"],
      Authenticate: ["auth/authenticate"],
      UserAdd: ["auth/user/add"],
      UserGet: ["auth/user/get"],
      UserList: ["auth/user/list"],
      UserDelete: ["auth/user/delete"],
      UserChangePassword: ["auth/user/changepw"],
      UserGrantRole: ["auth/user/grant"],
      UserRevokeRole: ["auth/user/revoke"],
      RoleAdd: ["auth/role/add"],
      RoleGet: ["auth/role/get"],
      RoleList: ["auth/role/list"],
      RoleDelete: ["auth/role/delete"],
      RoleGrantPermission: ["auth/role/grant"],
      RoleRevokePermission: ["auth/role/revoke"],
    },
  ],
  [Lock, { Lock: ["lock/lock"], Unlock: ["lock/unlock"] }],
  [
    Election,
    {
      Campaign: ["election/campaign"],
      Proclaim: ["election/proclaim"],
      Leader: ["election/leader"],
      Observe: ["election/observe"],
      Resign: ["election/resign"],
    },
  ],
];

/** A path of the gateway and the method behind it. */
export interface Route {
  /** Below /v3/. */
  readonly path: string;
  readonly service: string;
  readonly method: DescMethod;
}

export const ROUTES: readonly Route[] = PATHS.flatMap(([service, methods]) =>
  service.methods.flatMap((method) =>
    (methods[method.name] ?? []).map((path) => ({ path, service: service.typeName, method })),
  ),
);
