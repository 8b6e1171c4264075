import type { EtcdError } from "../errors.ts";
import { theServer } from "./auth/requester.ts";
import { revokeCommand, type Change } from "./commands.ts";
import { LeaseClock } from "./lease-clock.ts";
import { Lessor } from "./lessor.ts";
import type { LogFunction, MonotonicClock } from "./options.ts";
import { sealedError } from "./seal.ts";
import type { Store } from "./store.ts";

const BEAT_MS = 250;
/** A beat this late means that the process did not run: then no lease may end for it. */
const STALL_MS = 1000;
/** With a beat every quarter of a second this is etcd's rate, 1000 a second. */
const MOST_ENDS_A_BEAT = 250;

/** Lets leases end: beats with the clock and revokes what has run out. */
export class LeaseKeeper implements Disposable {
  readonly #store: Store;
  readonly #lessor = new Lessor();
  readonly #clock: LeaseClock;
  readonly #log: LogFunction;
  readonly #timer: NodeJS.Timeout;
  #renewed = 0;
  #expired = 0;

  constructor(store: Store, { clock, log }: { readonly clock: MonotonicClock; readonly log: LogFunction }) {
    this.#store = store;
    this.#clock = new LeaseClock(clock, STALL_MS);
    this.#log = log;
    for (const lease of store.keyspace.leases.values()) this.#lessor.start(lease, 0);
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
  }

  /** Follows what was carried out. */
  applied(change: Change): void {
    if (change.kind === "revoke") this.#lessor.end(change.request.id);
    if (change.kind !== "grant") return;
    const lease = this.#store.keyspace.leases.get(change.request.id);
    if (lease !== undefined) this.#lessor.start(lease, this.#clock.now());
  }

  /**
   * Gives a lease its full time again. Returns its TTL in seconds, 0 if there is no such lease. Throws SEALED when
   * another store is in charge: nobody is to believe that its lease lives on here.
   */
  renew(id: bigint): number {
    const { seal } = this.#store;
    if (seal?.handedOver === true) throw sealedError(seal);
    const ttl = this.#lessor.renew(id, this.#clock.now());
    if (ttl > 0) this.#renewed++;
    return ttl;
  }

  /** Renewals, and leases that ran out, since the start. */
  get counts(): { readonly renewed: number; readonly expired: number } {
    return { renewed: this.#renewed, expired: this.#expired };
  }

  /** Milliseconds left. */
  remaining(id: bigint): number {
    return this.#lessor.remaining(id, this.#clock.now());
  }

  /** Ids in the order in which they run out. */
  ids(): readonly bigint[] {
    return this.#lessor.ids();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    if (this.#store.seal !== undefined) return this.#clock.pause();
    const stall = this.#clock.beat();
    if (stall > 0) {
      this.#log("warn", "the process was stopped: leases are extended by that time", { milliseconds: stall });
    }
    const { auth } = this.#store;
    const by = auth.enabled ? theServer(auth) : undefined;
    for (const id of this.#lessor.due(this.#clock.now(), MOST_ENDS_A_BEAT)) {
      this.#store.propose({ ...revokeCommand(id), by }).then(
        () => void this.#expired++,
        (error: unknown) => {
          if ((error as EtcdError).code === "LEASE_NOT_FOUND") return;
          this.#lessor.retry(id, this.#clock.now() + STALL_MS);
        },
      );
    }
  }
}
