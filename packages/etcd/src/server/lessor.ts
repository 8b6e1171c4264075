// When leases run out. Keepalives touch memory only; an end is a command in the log like any other. After a
// restart every lease has its full time again, since nobody could renew it meanwhile.

import type { Lease } from "../keyspace/leases.ts";

/** Least TTL in seconds: one and a half of etcd's election timeouts, rounded up. */
export const LEAST_TTL = 2;
/** Greatest TTL in seconds that can be asked for. */
export const GREATEST_TTL = 9_000_000_000;

/** Alerts that are too few to clear up. */
const FEW_ALERTS = 1000;

interface Term {
  readonly id: bigint;
  readonly ttl: number;
  /** On the lease clock, in milliseconds. */
  expires: number;
  /** Its revocation is on its way. */
  ending: boolean;
}

interface Alert {
  readonly at: number;
  readonly term: Term;
}

export class Lessor {
  readonly #terms = new Map<bigint, Term>();
  /** A binary heap by time. An alert may be early for a lease that was renewed; it is then set again. */
  #alerts: Alert[] = [];

  /** Starts a lease's time. */
  start({ id, ttl }: Lease, now: number): void {
    const term: Term = { id, ttl, expires: now + ttl * 1000, ending: false };
    this.#terms.set(id, term);
    this.#push({ at: term.expires, term });
  }

  /** The lease was revoked. */
  end(id: bigint): void {
    const term = this.#terms.get(id);
    if (term === undefined) return;
    this.#terms.delete(id);
    if (this.#alerts.length > 2 * this.#terms.size + FEW_ALERTS) this.#clear();
  }

  /** Gives a lease its full time again. Returns its TTL in seconds, 0 if there is none to renew. */
  renew(id: bigint, now: number): number {
    const term = this.#terms.get(id);
    if (term === undefined || term.ending) return 0;
    term.expires = now + term.ttl * 1000;
    return term.ttl;
  }

  /** Alerts that are set, of leases that were revoked too. */
  get alerts(): number {
    return this.#alerts.length;
  }

  /** Milliseconds left. */
  remaining(id: bigint, now: number): number {
    return Math.max(0, (this.#terms.get(id)?.expires ?? now) - now);
  }

  /** Ids in the order in which they run out. */
  ids(): readonly bigint[] {
    return [...this.#terms.values()].sort((a, b) => a.expires - b.expires).map(({ id }) => id);
  }

  /** Up to `most` leases that have run out. Each is named once, until {@link retry}. */
  due(now: number, most: number): readonly bigint[] {
    const ended: bigint[] = [];
    for (let alert = this.#alerts[0]; alert !== undefined && alert.at <= now; alert = this.#alerts[0]) {
      if (ended.length === most) break;
      this.#pop();
      const { term } = alert;
      if (this.#terms.get(term.id) !== term) continue;
      if (term.expires > now) {
        this.#push({ at: term.expires, term });
        continue;
      }
      term.ending = true;
      ended.push(term.id);
    }
    return ended;
  }

  /** The revocation could not be recorded: the lease is named again at `at`, and cannot be renewed. */
  retry(id: bigint, at: number): void {
    const term = this.#terms.get(id);
    if (term !== undefined) this.#push({ at, term });
  }

  /** Drops the alerts of leases that were revoked: some would be due in years only. */
  #clear(): void {
    const left = this.#alerts.filter(({ term }) => this.#terms.get(term.id) === term);
    // In order, a list is a heap.
    this.#alerts = left.sort((a, b) => a.at - b.at);
  }

  #push(alert: Alert): void {
    const heap = this.#alerts;
    let place = heap.length;
    heap.push(alert);
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      const above = heap[parent] as Alert;
      if (above.at <= alert.at) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = alert;
  }

  #pop(): void {
    const heap = this.#alerts;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Alert).at < (heap[child] as Alert).at) child++;
      if ((heap[child] as Alert).at >= last.at) break;
      heap[place] = heap[child] as Alert;
      place = child;
    }
    heap[place] = last;
  }
}
