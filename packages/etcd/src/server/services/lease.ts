import { create } from "@bufbuild/protobuf";
import { EtcdError } from "../../errors.ts";
import { bigField, intField, WireReader } from "../../keyspace/wire.ts";
import {
  LeaseLeasesRequestSchema,
  LeaseLeasesResponseSchema,
  LeaseRevokeRequestSchema,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
} from "../../proto/generated/etcdserverpb/lease_pb.ts";
import { grantCommand, readGrant, revokeCommand } from "../commands.ts";
import type { LeaseKeeper } from "../lease-keeper.ts";
import { GREATEST_TTL } from "../lessor.ts";
import { decode, encode } from "../messages/generated.ts";
import type { Method } from "../transport/call.ts";
import type { ServiceContext } from "./context.ts";

export interface LeaseServiceOptions {
  readonly keeper: LeaseKeeper;
  /** Seconds to which shorter TTLs are lengthened. */
  readonly leastTtl: number;
  /** A random unsigned integer of 64 bits. */
  readonly randomId: () => bigint;
}

/** etcdserverpb.Lease. */
export function leaseService(
  context: ServiceContext,
  { keeper, leastTtl, randomId }: LeaseServiceOptions,
): Record<string, Method> {
  const { store, header, access } = context;
  const { keyspace } = store;
  const now = (): string => header(keyspace.revision);
  return {
    LeaseGrant: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { id: wanted, ttl } = readGrant(new WireReader(bytes));
        if (ttl > GREATEST_TTL) throw EtcdError.refusal("LEASE_TTL_TOO_LARGE");
        const id = wanted === 0n ? unusedId(context, randomId) : wanted;
        const lease = await store.propose({
          ...grantCommand(id, Math.max(leastTtl, ttl)),
          by: access.requester(call),
        });
        return now() + bigField("\x10", lease.id) + intField("\x18", lease.ttl);
      },
    },
    LeaseRevoke: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { ID } = decode(LeaseRevokeRequestSchema, bytes);
        await store.propose({ ...revokeCommand(ID), by: access.requester(call) });
        return now();
      },
    },
    LeaseKeepAlive: {
      kind: "stream",
      open: (call) => ({
        message: (bytes) => {
          const id = readId(new WireReader(bytes));
          call.send(now() + bigField("\x10", id) + intField("\x18", keeper.renew(id)));
        },
        halfClosed: () => call.end(),
        drained: () => undefined,
        closed: () => undefined,
      }),
    },
    LeaseTimeToLive: {
      kind: "unary",
      handle: (bytes, call) => {
        const { ID, keys } = decode(LeaseTimeToLiveRequestSchema, bytes);
        if (keys) access.leaseKeys(call, ID);
        const lease = keyspace.leases.get(ID);
        const answer = create(LeaseTimeToLiveResponseSchema, { ID, TTL: -1n });
        if (lease !== undefined) {
          answer.TTL = BigInt(Math.floor(keeper.remaining(ID) / 1000));
          answer.grantedTTL = BigInt(lease.ttl);
          if (keys) answer.keys = [...lease.keys].map((key) => Buffer.from(key, "latin1"));
        }
        return now() + encode(LeaseTimeToLiveResponseSchema, answer);
      },
    },
    LeaseLeases: {
      kind: "unary",
      handle: (bytes) => {
        decode(LeaseLeasesRequestSchema, bytes);
        const leases = keeper.ids().map((ID) => ({ ID }));
        return now() + encode(LeaseLeasesResponseSchema, create(LeaseLeasesResponseSchema, { leases }));
      },
    },
  };
}

/** Positive and not taken, as the server chooses them. */
function unusedId({ store }: ServiceContext, randomId: () => bigint): bigint {
  for (;;) {
    const id = BigInt.asUintN(63, randomId());
    if (id !== 0n && !store.keyspace.leases.has(id)) return id;
  }
}

/** LeaseKeepAliveRequest, read by hand: it is the most frequent message of all. */
function readId(reader: WireReader): bigint {
  let id = 0n;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = reader.big();
    else reader.skip();
  }
  return id;
}
