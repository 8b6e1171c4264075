import { create } from "@bufbuild/protobuf";
import {
  CampaignRequestSchema,
  CampaignResponseSchema,
  LeaderRequestSchema,
  LeaderResponseSchema,
  ProclaimRequestSchema,
  ProclaimResponseSchema,
  ResignRequestSchema,
  ResignResponseSchema,
} from "../../proto/generated/v3electionpb_pb.ts";
import { campaign, leaderOf, missingLeader, observe, proclaim, resign } from "../concurrency/election.ts";
import { LocalClient } from "../concurrency/local-client.ts";
import { decode, encode } from "../messages/generated.ts";
import type { Call, Method, ServiceTable, StreamCall, StreamHandler } from "../transport/call.ts";
import { headed } from "./lock.ts";

/** v3electionpb.Election, made of the other services. */
export function electionService(services: ServiceTable): Record<string, Method> {
  const clientOf = (call: Call): LocalClient => new LocalClient(services, call);
  return {
    Campaign: {
      kind: "waiting",
      handle: async (bytes, call, gone) => {
        const { header, leader } = await campaign(clientOf(call), decode(CampaignRequestSchema, bytes), gone);
        return encode(CampaignResponseSchema, create(CampaignResponseSchema, { ...headed(header), leader }));
      },
    },
    Proclaim: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { leader, value } = decode(ProclaimRequestSchema, bytes);
        if (leader === undefined) throw missingLeader();
        const header = await proclaim(clientOf(call), leader, value);
        return encode(ProclaimResponseSchema, create(ProclaimResponseSchema, headed(header)));
      },
    },
    Leader: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { header, kv } = await leaderOf(clientOf(call), decode(LeaderRequestSchema, bytes).name);
        return encode(LeaderResponseSchema, create(LeaderResponseSchema, { ...headed(header), kv }));
      },
    },
    Observe: { kind: "stream", open: (call) => observing(call, clientOf(call)) },
    Resign: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { leader } = decode(ResignRequestSchema, bytes);
        if (leader === undefined) throw missingLeader();
        const header = await resign(clientOf(call), leader);
        return encode(ResignResponseSchema, create(ResignResponseSchema, headed(header)));
      },
    },
  };
}

function observing(call: StreamCall, client: LocalClient): StreamHandler {
  const gone = new AbortController();
  let isAsked = false;
  return {
    message: (bytes) => {
      if (isAsked) return;
      isAsked = true;
      const { name } = decode(LeaderRequestSchema, bytes);
      observe(client, { name, gone: gone.signal }, ({ header, kv }) => {
        call.send(encode(LeaderResponseSchema, create(LeaderResponseSchema, { ...headed(header), kv })));
      }).then(
        () => call.end(),
        // etcd ends the stream without a word when it cannot go on.
        () => call.end(),
      );
    },
    halfClosed: () => undefined,
    drained: () => client.drained(),
    closed: () => gone.abort(),
  };
}
