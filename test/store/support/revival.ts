// Transactions that bring an etcd 3.5 down, so that nothing can be compared with it afterwards. A delete without an
// end ("\0") is the only one that may meet a put of the same transaction. Where the put comes later, etcd's index
// has no place for both in one revision: a compaction to that revision drops the put, and the next read of the key
// ends the process. A put that is to keep the value or the lease of what was deleted ends it at once, halfway.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  RequestOpSchema,
  TxnRequestSchema,
} from "../../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";

type Txn = MessageInitShape<typeof TxnRequestSchema>;
type Operation = MessageInitShape<typeof RequestOpSchema>;

/** Whether a transaction may put a key after it was deleted without an end, whichever branches are taken. */
export function revivesKeys(txn: Txn): boolean {
  return lowestDeleted(txn, undefined) === REVIVED;
}

const REVIVED = Symbol("revived");
type Lowest = Buffer | undefined | typeof REVIVED;

/** The first key of all that was deleted without an end, with what was before. */
function lowestDeleted({ success = [], failure = [] }: Txn, before: Lowest): Lowest {
  return [...success, ...failure].reduce<Lowest>((lowest, operation) => after(operation, lowest), before);
}

function after({ request }: Operation, lowest: Lowest): Lowest {
  if (lowest === REVIVED) return REVIVED;
  const key = Buffer.from((request?.case !== "requestTxn" && request?.value?.key) || []);
  switch (request?.case) {
    case "requestTxn":
      return lowestDeleted(request.value, lowest);
    case "requestPut":
      return lowest !== undefined && Buffer.compare(key, lowest) >= 0 ? REVIVED : lowest;
    case "requestDeleteRange":
      if (Buffer.compare(Buffer.from(request.value.rangeEnd ?? []), Buffer.of(0)) !== 0) return lowest;
      return lowest === undefined || Buffer.compare(key, lowest) < 0 ? key : lowest;
    default:
      return lowest;
  }
}
