import { create } from "@bufbuild/protobuf";
import {
  LockRequestSchema,
  LockResponseSchema,
  UnlockRequestSchema,
  UnlockResponseSchema,
} from "../../proto/generated/v3lockpb_pb.ts";
import { LocalClient } from "../concurrency/local-client.ts";
import { lock, unlock } from "../concurrency/mutex.ts";
import { decode, encode } from "../messages/generated.ts";
import type { Method, ServiceTable } from "../transport/call.ts";

/** v3lockpb.Lock, made of the other services. */
export function lockService(services: ServiceTable): Record<string, Method> {
  return {
    Lock: {
      kind: "waiting",
      handle: async (bytes, call, gone) => {
        const { header, key } = await lock(
          new LocalClient(services, call),
          decode(LockRequestSchema, bytes),
          gone,
        );
        return encode(LockResponseSchema, create(LockResponseSchema, { ...headed(header), key }));
      },
    },
    Unlock: {
      kind: "unary",
      handle: async (bytes, call) => {
        const header = await unlock(new LocalClient(services, call), decode(UnlockRequestSchema, bytes).key);
        return encode(UnlockResponseSchema, create(UnlockResponseSchema, headed(header)));
      },
    },
  };
}

/** The field of an answer, left out where there is none. */
export function headed<H>(header: H | undefined): { readonly header?: H } {
  return header === undefined ? {} : { header };
}
