// The state as the buckets of etcd's database file (server/storage/schema of etcd 3.5): what a snapshot holds.
// Frozen: what changes while they are read is not in them.

import { toBinary } from "@bufbuild/protobuf";
import type { BoltEntry } from "../../bolt/format.ts";
import type { BoltBucket } from "../../bolt/writer.ts";
import { survives } from "../../keyspace/compaction.ts";
import { bigField, intField } from "../../keyspace/wire.ts";
import { RoleSchema, UserSchema } from "../../proto/generated/authpb_pb.ts";
import { CLUSTER_VERSION } from "../options.ts";
import type { StoreState } from "../state.ts";
import { bigEndian, bigEndianId, recordOf, revisionKey } from "./records.ts";

/** What of a server is not in its state. */
export interface MemberIdentity {
  readonly memberId: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
  /** Index of the last command that is in the state. */
  readonly appliedIndex: number;
}

/** Keys of the bucket `meta`. */
export const META = {
  consistentIndex: "consistent_index",
  term: "term",
  confState: "confState",
  scheduledCompaction: "scheduledCompactRev",
  finishedCompaction: "finishedCompactRev",
} as const;

/** Keys of the bucket `auth`. */
export const AUTH = { enabled: "authEnabled", revision: "authRevision" } as const;

export function bucketsOf(state: StoreState, identity: MemberIdentity): readonly BoltBucket[] {
  const bucket = (name: string, entries: BoltEntry[] = []): BoltBucket => {
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { name, entries: () => entries };
  };
  return [
    bucket("alarm", alarms(state)),
    bucket("auth", auth(state)),
    bucket(
      "authRoles",
      state.auth.data.roles.map((role) => named(role.name, toBinary(RoleSchema, role))),
    ),
    bucket(
      "authUsers",
      state.auth.data.users.map((user) => named(user.name, toBinary(UserSchema, user))),
    ),
    bucket("cluster", [{ key: "clusterVersion", value: CLUSTER_VERSION }]),
    historyBucket(state),
    bucket("lease", leases(state)),
    bucket("members", [member(identity)]),
    bucket("members_removed"),
    bucket("meta", meta(state, identity)),
  ];
}

/** Versions by revision: that is the order in which the state has them. */
function historyBucket({ keyspace }: StoreState): BoltBucket {
  const { history, compactRevision } = keyspace;
  const { length } = history;
  return {
    name: "key",
    *entries() {
      for (let place = 0; place < length; place++) {
        const version = history[place];
        if (version === undefined) return;
        // A compaction that is under way is finished in the snapshot.
        if (version.main <= compactRevision && !survives(version, compactRevision)) continue;
        yield { key: revisionKey(version), value: recordOf(version) };
      }
    },
  };
}

function alarms(state: StoreState): BoltEntry[] {
  return state.alarms.raised.map(({ member: id, alarm }) => ({
    key: bigField("\x08", id) + intField("\x10", alarm),
    value: "",
  }));
}

function auth({ auth: { data } }: StoreState): BoltEntry[] {
  const revision = { key: AUTH.revision, value: bigEndian(data.revision) };
  return data.enabled ? [{ key: AUTH.enabled, value: "\u0001" }, revision] : [revision];
}

function named(name: Uint8Array, message: Uint8Array): BoltEntry {
  return { key: latin1(name), value: latin1(message) };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function leases({ keyspace }: StoreState): BoltEntry[] {
  return [...keyspace.leases.values()].map(({ id, ttl }) => ({
    key: bigEndianId(id),
    value: bigField("\x08", id) + intField("\x10", ttl),
  }));
}

function member({ memberId, name, clientUrls }: MemberIdentity): BoltEntry {
  const urls = JSON.stringify(clientUrls);
  const text = `{"id":${memberId},"peerURLs":[],"name":${JSON.stringify(name)},"clientURLs":${urls}}`;
  return { key: memberId.toString(16), value: Buffer.from(text).toString("latin1") };
}

function meta({ keyspace, term }: StoreState, { memberId, appliedIndex }: MemberIdentity): BoltEntry[] {
  const entries = [
    { key: META.consistentIndex, value: bigEndian(appliedIndex) },
    { key: META.term, value: bigEndian(term) },
    { key: META.confState, value: `{"voters":[${memberId}],"auto_leave":false}` },
  ];
  if (keyspace.compactRevision < 0) return entries;
  const value = revisionKey({ main: keyspace.compactRevision, sub: 0, isTombstone: false });
  return [...entries, { key: META.scheduledCompaction, value }, { key: META.finishedCompaction, value }];
}
