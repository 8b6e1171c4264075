import type { Change } from "../commands.ts";
import {
  NOBODY,
  permitAdmin,
  permitLeaseEnd,
  permitPut,
  permitRead,
  permitTxn,
  permitWrite,
  type Guarded,
} from "./requester.ts";

/**
 * May a change be carried out for the one who asks? What is not named here anybody may do, as with etcd.
 * @throws EtcdError USER_EMPTY, AUTH_OLD_REVISION, ACCESS_DENIED
 */
export function permitChange(on: Guarded, change: Change): void {
  const by = change.by ?? NOBODY;
  switch (change.kind) {
    case "put":
      return permitPut(on, by, change.request);
    case "delete":
      permitWrite(on, by, change.request);
      if (change.request.prevKv) permitRead(on, by, change.request);
      return;
    case "txn":
      return permitTxn(on, by, change.request);
    case "revoke":
      return permitLeaseEnd(on, by, change.request.id);
    case "auth":
      return permitAdmin(on.auth, by);
    default:
      return;
  }
}
