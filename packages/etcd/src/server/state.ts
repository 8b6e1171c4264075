// Everything that the log makes: keys, leases, users, alarms, the term. Deterministic: the same commands in the same
// order give the same state, whether they arrive from clients or from the log.

import { EtcdError } from "../errors.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import type { Lease } from "../keyspace/leases.ts";
import type { DeleteRangeResult, PutResult, TxnResult } from "../keyspace/requests.ts";
import { deleteRange, put, txn } from "../keyspace/transaction.ts";
import { AlarmTable } from "./alarms.ts";
import { AuthState } from "./auth/auth-state.ts";
import { permitChange } from "./auth/permit-change.ts";
import type { AlarmChange, Change } from "./commands.ts";
import { sealedError, type Seal } from "./seal.ts";

/** What each kind of change answers. */
export interface Outcomes {
  readonly put: PutResult;
  readonly delete: DeleteRangeResult;
  readonly txn: TxnResult;
  readonly compact: undefined;
  readonly grant: Lease;
  readonly revoke: undefined;
  readonly alarm: undefined;
  readonly auth: undefined;
  readonly peerUrls: undefined;
  readonly start: undefined;
  readonly seal: undefined;
  readonly unseal: undefined;
  readonly lastWrite: TxnResult;
}

/** What a sealed store still does. */
const THROUGH_THE_SEAL: ReadonlySet<Change["kind"]> = new Set([
  "alarm",
  "start",
  "seal",
  "unseal",
  "lastWrite",
] satisfies Change["kind"][]);

export type Outcome = Outcomes[keyof Outcomes];

export class StoreState {
  readonly keyspace = new Keyspace();
  readonly auth = new AuthState();
  readonly alarms = new AlarmTable();
  /** Where other members would find this one, once that was changed. */
  peerUrls: readonly string[] | undefined;
  /** Starts of the server so far, and one. */
  term = 1;
  #seal: Seal | undefined;

  /** Set while the store takes no changes, because it moves elsewhere. */
  get seal(): Seal | undefined {
    return this.#seal;
  }

  /** Takes up the seal of a snapshot. */
  restoreSeal(seal: Seal | undefined): void {
    this.#seal = seal;
  }

  /** Throws SEALED for a change that the seal keeps out. */
  checkSeal(kind: Change["kind"]): void {
    if (this.#seal !== undefined && !THROUGH_THE_SEAL.has(kind)) throw sealedError(this.#seal);
  }

  /** Carries a change out. Throws EtcdError if it is refused; nothing has changed then. */
  apply(change: Change): Outcome {
    this.checkSeal(change.kind);
    if (this.auth.enabled) this.permit(change);
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
      case "auth":
        return this.auth.apply(change.request) as undefined;
      case "start":
        this.term++;
        return undefined;
      case "peerUrls":
        this.peerUrls = change.request;
        return undefined;
      case "seal":
        return this.#close(change.request);
      case "unseal":
        this.#seal = undefined;
        return undefined;
      case "lastWrite":
        return txn(this.keyspace, change.request);
    }
  }

  /** Throws EtcdError if the one who asks for a change may not have it. */
  permit(change: Change): void {
    permitChange({ auth: this.auth, leases: this.keyspace.leases }, change);
  }

  #grant({ id, ttl }: { readonly id: bigint; readonly ttl: number }): Lease {
    if (this.keyspace.leases.has(id)) throw EtcdError.refusal("LEASE_EXISTS");
    return this.keyspace.leases.add(id, ttl);
  }

  #close(seal: Seal): undefined {
    if (this.#seal !== undefined && this.#seal.tokenHash !== seal.tokenHash) throw sealedError(this.#seal);
    this.#seal = seal;
    return undefined;
  }

  #alarm({ active, member, alarm }: AlarmChange): undefined {
    if (active) this.alarms.raise({ member, alarm });
    else this.alarms.lower({ member, alarm });
    return undefined;
  }
}
