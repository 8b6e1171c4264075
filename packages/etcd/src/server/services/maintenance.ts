import { create } from "@bufbuild/protobuf";
import { EtcdError } from "../../errors.ts";
import {
  AlarmMemberSchema,
  AlarmRequest_AlarmAction,
  AlarmRequestSchema,
  AlarmResponseSchema,
  type AlarmType,
  StatusResponseSchema,
} from "../../proto/generated/etcdserverpb/maintenance_pb.ts";
import { alarmCommand } from "../commands.ts";
import { decode, encode } from "../messages/generated.ts";
import { ETCD_VERSION } from "../options.ts";
import type { Method } from "../transport/call.ts";
import type { ServiceContext } from "./context.ts";

const ALARM_NAMES: Readonly<Record<number, string>> = { 1: "NOSPACE", 2: "CORRUPT" };

/** etcdserverpb.Maintenance. */
export function maintenanceService({ store, header, access }: ServiceContext): Record<string, Method> {
  const { memberId } = store;
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
          errors: [...store.alarms].map((alarm) => `memberID:${memberId} alarm:${ALARM_NAMES[alarm]} `),
        });
        return header(keyspace.revision) + encode(StatusResponseSchema, answer);
      },
    },
    Alarm: {
      kind: "unary",
      handle: async (bytes, call) => {
        access.requester(call);
        const { action, memberID, alarm } = decode(AlarmRequestSchema, bytes);
        const changed: number[] = [];
        if (action === AlarmRequest_AlarmAction.GET) {
          changed.push(...[...store.alarms].filter((active) => alarm === 0 || Number(alarm) === active));
        } else if (memberID === 0n || memberID === memberId) {
          const active = action === AlarmRequest_AlarmAction.ACTIVATE;
          if (ALARM_NAMES[alarm] === undefined) {
            throw new EtcdError("INVALID_ARGUMENT", `there is no alarm ${alarm}`, { grpcStatus: 3 });
          }
          const differs = store.alarms.has(alarm) !== active;
          if (differs) await store.propose(alarmCommand({ alarm, active }));
          if (active || differs) changed.push(alarm);
        }
        const alarms = changed.map((type) =>
          create(AlarmMemberSchema, { memberID: memberId, alarm: type as AlarmType }),
        );
        return (
          header(store.keyspace.revision) +
          encode(AlarmResponseSchema, create(AlarmResponseSchema, { alarms }))
        );
      },
    },
  };
}
