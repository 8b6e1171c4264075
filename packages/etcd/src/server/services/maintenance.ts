import { create } from "@bufbuild/protobuf";
import { Crc32c } from "../../disk/crc32c.ts";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { bytesField, intField } from "../../keyspace/wire.ts";
import {
  AlarmMemberSchema,
  AlarmRequest_AlarmAction,
  AlarmRequestSchema,
  AlarmResponseSchema,
  type AlarmMember,
  type AlarmType,
  HashKVRequestSchema,
  HashKVResponseSchema,
  HashResponseSchema,
  MoveLeaderRequestSchema,
  StatusResponseSchema,
} from "../../proto/generated/etcdserverpb/maintenance_pb.ts";
import type { RaisedAlarm } from "../alarms.ts";
import { bucketsOf } from "../backend/buckets.ts";
import { databaseHash } from "../backend/database-hash.ts";
import { snapshotPieces } from "../backend/snapshot.ts";
import type { BoltBucket } from "../../bolt/writer.ts";
import { alarmCommand } from "../commands.ts";
import { decode, encode } from "../messages/generated.ts";
import { ETCD_VERSION } from "../options.ts";
import type { Method, StreamCall, StreamHandler } from "../transport/call.ts";
import type { Membership } from "./cluster.ts";
import type { ServiceContext } from "./context.ts";
import { downgradeMethod } from "./downgrade.ts";

const ALARM_NAMES: Readonly<Record<number, string>> = { 1: "NOSPACE", 2: "CORRUPT" };

/** etcdserverpb.Maintenance. */
export function maintenanceService(context: ServiceContext, membership: Membership): Record<string, Method> {
  const { store, header, access } = context;
  const { memberId } = store;
  const crc = new Crc32c();
  const now = (): string => header(store.keyspace.revision);
  const buckets = (): readonly BoltBucket[] =>
    bucketsOf(store.state, {
      memberId,
      name: membership.name,
      clientUrls: membership.clientUrls(),
      appliedIndex: store.appliedIndex,
    });
  return {
    Status: {
      kind: "unary",
      handle: () => {
        const { keyspace, term, appliedIndex } = store;
        const answer = create(StatusResponseSchema, {
          version: ETCD_VERSION,
          dbSize: BigInt(store.bytes),
          dbSizeInUse: BigInt(keyspace.bytes),
          leader: memberId,
          raftIndex: BigInt(appliedIndex),
          raftAppliedIndex: BigInt(appliedIndex),
          raftTerm: BigInt(term),
          errors: store.state.alarms.raised.map(inWords),
        });
        return now() + encode(StatusResponseSchema, answer);
      },
    },
    Alarm: {
      kind: "unary",
      handle: async (bytes, call) => {
        access.requester(call);
        const alarms = (await changeAlarms(context, bytes)).map(alarmMember);
        return now() + encode(AlarmResponseSchema, create(AlarmResponseSchema, { alarms }));
      },
    },
    // The log and the snapshots are compacted as they are written: there is nothing to be gained.
    Defragment: { kind: "unary", handle: () => "" },
    Hash: {
      kind: "unary",
      handle: async () => {
        const opening = now();
        const hash = await databaseHash(buckets(), crc);
        return opening + encode(HashResponseSchema, create(HashResponseSchema, { hash }));
      },
    },
    HashKV: {
      kind: "unary",
      handle: async (bytes) => {
        const { revision } = decode(HashKVRequestSchema, bytes);
        const opening = now();
        const { hash, compactRevision } = await store.hasher.at(Number(revision));
        const answer = create(HashKVResponseSchema, { hash, compactRevision: BigInt(compactRevision) });
        return opening + encode(HashKVResponseSchema, answer);
      },
    },
    Snapshot: { kind: "stream", open: (call) => sending(call, buckets) },
    MoveLeader: {
      kind: "unary",
      handle: (bytes) => {
        const { targetID } = decode(MoveLeaderRequestSchema, bytes);
        if (targetID !== memberId) throw EtcdError.refusal("BAD_LEADER_TRANSFEREE");
        return "";
      },
    },
    Downgrade: downgradeMethod(now),
  };
}

function inWords({ member, alarm }: RaisedAlarm): string {
  return `${member === 0n ? "" : `memberID:${member} `}alarm:${ALARM_NAMES[alarm]} `;
}

function alarmMember({ member, alarm }: RaisedAlarm): AlarmMember {
  return create(AlarmMemberSchema, { memberID: member, alarm: alarm as AlarmType });
}

/** Carries an AlarmRequest out; returns the alarms to be named in its answer. */
async function changeAlarms({ store }: ServiceContext, bytes: Buffer): Promise<readonly RaisedAlarm[]> {
  const { action, memberID: member, alarm } = decode(AlarmRequestSchema, bytes);
  const { alarms } = store.state;
  if (action === AlarmRequest_AlarmAction.GET) {
    return alarms.raised.filter((raised) => alarm === 0 || raised.alarm === Number(alarm));
  }
  if (Number(alarm) === 0) return [];
  // etcd records an alarm of any number, and cannot start any more once it is one that it does not know.
  if (ALARM_NAMES[alarm] === undefined) {
    const grpcStatus = GRPC_STATUS.INVALID_ARGUMENT;
    throw new EtcdError("INVALID_ARGUMENT", `there is no alarm ${alarm}`, { grpcStatus });
  }
  const active = action === AlarmRequest_AlarmAction.ACTIVATE;
  const isRaised = alarms.has({ member, alarm });
  if (active !== isRaised) await store.propose(alarmCommand({ member, alarm, active }));
  return active || isRaised ? [{ member, alarm }] : [];
}

/** Streams the database file, no faster than it is read. */
function sending(call: StreamCall, buckets: () => readonly BoltBucket[]): StreamHandler {
  let isOver = false;
  let wake = (): void => undefined;
  const send = async (): Promise<void> => {
    for await (const { remaining, blob } of snapshotPieces(buckets())) {
      while (call.isBehind && !isOver) await new Promise<void>((resolve) => (wake = resolve));
      if (isOver) return;
      call.send(intField("\x10", remaining) + bytesField("\x1a", blob.toString("latin1")));
    }
  };
  let isAsked = false;
  return {
    message: () => {
      if (isAsked) return;
      isAsked = true;
      send().then(
        () => call.end(),
        (error: unknown) => call.end(error),
      );
    },
    halfClosed: () => undefined,
    drained: () => wake(),
    closed: () => {
      isOver = true;
      wake();
    },
  };
}
