import { create } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { checkTxn } from "../../keyspace/validate.ts";
import { WireReader } from "../../keyspace/wire.ts";
import {
  SealRequestSchema,
  StatusResponseSchema,
  UnsealRequestSchema,
  WriteRequestSchema,
  WriteResponseSchema,
} from "../../proto/generated/keelson/handover_pb.ts";
import { lastWriteCommand, sealCommand, unsealCommand } from "../commands.ts";
import { decode, encode } from "../messages/generated.ts";
import { readTxn, writeTxn } from "../messages/kv.ts";
import { makeSeal, opens } from "../seal.ts";
import type { Method } from "../transport/call.ts";
import type { ServiceContext } from "./context.ts";

/** keelson.etcd.Handover; see its proto file. */
export function handoverService(
  { store, header, access }: ServiceContext,
  { maxTxnOps }: { readonly maxTxnOps: number },
): Record<string, Method> {
  const { keyspace } = store;
  const now = (): string => header(keyspace.revision);
  return {
    Seal: {
      kind: "unary",
      handle: async (bytes, call) => {
        access.root(call);
        const request = decode(SealRequestSchema, bytes);
        await store.propose(sealCommand(makeSeal(request)));
        return now();
      },
    },
    Write: {
      kind: "unary",
      handle: async (bytes, call) => {
        access.root(call);
        const { token, txn: body } = decode(WriteRequestSchema, bytes);
        checkToken(token);
        const request = readTxn(new WireReader(Buffer.from(body.buffer, body.byteOffset, body.length)));
        checkTxn(request, maxTxnOps);
        const result = await store.propose(lastWriteCommand(request, body));
        const txn = Buffer.from(writeTxn(header(result.revision), result), "latin1");
        return header(result.revision) + encode(WriteResponseSchema, create(WriteResponseSchema, { txn }));
      },
    },
    Unseal: {
      kind: "unary",
      handle: async (bytes, call) => {
        access.root(call);
        const { token, force } = decode(UnsealRequestSchema, bytes);
        if (store.seal !== undefined) {
          if (!force) checkToken(token);
          await store.propose(unsealCommand());
        }
        return now();
      },
    },
    Status: {
      kind: "unary",
      handle: () => {
        const { reason = "", successor = [], handedOver = false } = store.seal ?? {};
        const sealed = store.seal !== undefined;
        const answer = create(StatusResponseSchema, {
          sealed,
          reason,
          successor: [...successor],
          handedOver,
        });
        return now() + encode(StatusResponseSchema, answer);
      },
    },
  };

  function checkToken(token: Uint8Array): void {
    if (store.seal === undefined) {
      throw new EtcdError("INVALID_ARGUMENT", "keelson: there is no seal", {
        grpcStatus: GRPC_STATUS.FAILED_PRECONDITION,
      });
    }
    if (!opens(store.seal, token)) {
      throw new EtcdError("PERMISSION_DENIED", "keelson: the token is not that of the seal", {
        grpcStatus: GRPC_STATUS.PERMISSION_DENIED,
      });
    }
  }
}
