// Everything that the log makes: keys, leases, alarms, the term. Deterministic: the same commands in the same
// order give the same state, whether they arrive from clients or from the log.

import { EtcdError } from "../errors.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import type { Lease } from "../keyspace/leases.ts";
import type { DeleteRangeResult, PutResult, TxnResult } from "../keyspace/requests.ts";
import { deleteRange, put, txn } from "../keyspace/transaction.ts";
import type { AlarmChange, Change } from "./commands.ts";

/** What each kind of change answers. */
export interface Outcomes {
  readonly put: PutResult;
  readonly delete: DeleteRangeResult;
  readonly txn: TxnResult;
  readonly compact: undefined;
  readonly grant: Lease;
  readonly revoke: undefined;
  readonly alarm: undefined;
  readonly start: undefined;
}

export type Outcome = Outcomes[keyof Outcomes];

export class StoreState {
  readonly keyspace = new Keyspace();
  /** Active alarms, as etcdserverpb.AlarmType. */
  readonly alarms = new Set<number>();
  /** Starts of the server so far, and one. */
  term = 1;

  /** Carries a change out. Throws EtcdError if it is refused; nothing has changed then. */
  apply(change: Change): Outcome {
    switch (change.kind) {
      case "put":
        return put(this.keyspace, change.request);
      case "delete":
        return deleteRange(this.keyspace, change.request);
      case "txn":
        return txn(this.keyspace, change.request);
      case "compact":
        return this.keyspace.compact(change.request.revision) as undefined;
      case "grant":
        return this.#grant(change.request);
      case "revoke":
        return this.keyspace.revoke(change.request.id) as undefined;
      case "alarm":
        return this.#alarm(change.request);
      case "start":
        this.term++;
        return undefined;
    }
  }

  #grant({ id, ttl }: { readonly id: bigint; readonly ttl: number }): Lease {
    if (this.keyspace.leases.has(id)) throw EtcdError.refusal("LEASE_EXISTS");
    return this.keyspace.leases.add(id, ttl);
  }

  #alarm({ alarm, active }: AlarmChange): undefined {
    if (active) this.alarms.add(alarm);
    else this.alarms.delete(alarm);
    return undefined;
  }
}
