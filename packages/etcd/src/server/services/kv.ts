import type { ServerLimits } from "../options.ts";
import { range } from "../../keyspace/range.ts";
import { isReadOnly, txn } from "../../keyspace/transaction.ts";
import { checkDeleteRange, checkPut, checkRange, checkTxn } from "../../keyspace/validate.ts";
import { WireReader } from "../../keyspace/wire.ts";
import {
  readCompaction,
  readDeleteRange,
  readPut,
  readRange,
  readTxn,
  writeDeleteRange,
  writePut,
  writeRange,
  writeTxn,
} from "../messages/kv.ts";
import type { Method } from "../transport/call.ts";
import type { ServiceContext } from "./context.ts";

/** etcdserverpb.KV. */
export function kvService(context: ServiceContext, limits: Required<ServerLimits>): Record<string, Method> {
  const { store, header, access } = context;
  const { keyspace } = store;
  return {
    Range: {
      kind: "unary",
      handle: (bytes, call) => {
        const request = readRange(new WireReader(bytes));
        checkRange(request);
        access.read(call, request);
        const result = range(keyspace, request);
        return writeRange(header(result.revision), result);
      },
    },
    Put: {
      kind: "unary",
      handle: async (body, call) => {
        const request = readPut(new WireReader(body));
        checkPut(request);
        const result = await store.propose({ kind: "put", request, body, by: access.requester(call) });
        return writePut(header(result.revision), result);
      },
    },
    DeleteRange: {
      kind: "unary",
      handle: async (body, call) => {
        const request = readDeleteRange(new WireReader(body));
        checkDeleteRange(request);
        const result = await store.propose({ kind: "delete", request, body, by: access.requester(call) });
        return writeDeleteRange(header(result.revision), result);
      },
    },
    Txn: {
      kind: "unary",
      handle: async (body, call) => {
        const request = readTxn(new WireReader(body));
        checkTxn(request, limits.maxTxnOps);
        if (isReadOnly(request)) {
          access.txn(call, request);
          const result = txn(keyspace, request);
          return writeTxn(header(result.revision), result);
        }
        const result = await store.propose({ kind: "txn", request, body, by: access.requester(call) });
        return writeTxn(header(result.revision), result);
      },
    },
    Compact: {
      kind: "unary",
      handle: async (body, call) => {
        const request = readCompaction(new WireReader(body));
        await store.propose({ kind: "compact", request, body, by: access.requester(call) });
        if (request.physical) await store.swept();
        return header(keyspace.revision);
      },
    },
  };
}
