// The leases of the source in the target: the same ids with the same time to live, and alive there until their
// holders come.

import { EtcdError, RPC, type EtcdClient } from "../client/index.ts";

const AT_A_TIME = 50;
/** Renewals that are due within this time are made together. */
const BEAT_MS = 400;

export class LeaseMirror {
  readonly #source: EtcdClient;
  readonly #target: EtcdClient;
  /** Seconds granted, of what the target has. */
  readonly #copied = new Map<bigint, number>();

  constructor(stores: { readonly source: EtcdClient; readonly target: EtcdClient }) {
    this.#source = stores.source;
    this.#target = stores.target;
  }

  /** Leases that the target has, with their seconds. */
  get copied(): ReadonlyMap<bigint, number> {
    return this.#copied;
  }

  /** Takes up what the target has already. */
  adopt(leases: ReadonlyMap<bigint, number>): void {
    for (const [id, ttl] of leases) this.#copied.set(id, ttl);
  }

  /** Grants in the target what it lacks. `unknownTtl` is for those that the source no longer has. */
  async ensure(ids: Iterable<bigint>, unknownTtl = 600): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => id !== 0n && !this.#copied.has(id));
    await inParallel(missing, async (id) => {
      const lease = await this.#source.leaseTimeToLive(id);
      await this.#grant(id, lease?.grantedTtlSeconds ?? unknownTtl);
    });
  }

  /** Grants in the target what a snapshot of the source has. */
  async copy(leases: ReadonlyMap<bigint, number>): Promise<void> {
    const missing = [...leases].filter(([id]) => !this.#copied.has(id));
    await inParallel(missing, ([id, ttl]) => this.#grant(id, ttl));
  }

  /** Copies the source's new leases, those without keys too. */
  async follow(): Promise<void> {
    await this.ensure(await idsOf(this.#source));
  }

  /**
   * Makes the sets equal: for a source that grants and ends no more. Throws MIGRATION_FAILED if a lease has keys
   * but another time to live.
   */
  async settle(): Promise<void> {
    const ids = new Set(await idsOf(this.#source));
    await inParallel([...this.#copied.keys()], async (id) => {
      if (ids.has(id)) return;
      await this.#target.revokeLease(id, { idempotent: true }).catch(unlessGone);
      this.#copied.delete(id);
    });
    await this.ensure(ids);
    await inParallel([...ids], async (id) => {
      const lease = await this.#source.leaseTimeToLive(id, { keys: true });
      if (lease === undefined || lease.grantedTtlSeconds === this.#copied.get(id)) return;
      if (lease.keys.length > 0) throw changed(id);
      await this.#target.revokeLease(id, { idempotent: true }).catch(unlessGone);
      await this.#grant(id, lease.grantedTtlSeconds);
    });
    const there = await idsOf(this.#target);
    if (there.length !== ids.size || there.some((id) => !ids.has(id))) {
      throw new EtcdError("MIGRATION_FAILED", "the target's leases are not those of the source");
    }
  }

  /** Renews every lease of the target, and of the source if `both`. */
  async renewAll(both = false): Promise<void> {
    await inParallel([...this.#copied.keys()], (id) => this.#renew(id, both));
  }

  /** Keeps the target's leases alive, and the source's while `both()`, until the signal fires. */
  async keepAlive(both: () => boolean, signal: AbortSignal): Promise<void> {
    const dueAt = new Map<bigint, number>();
    while (!signal.aborted) {
      const now = performance.now();
      const due = [...this.#copied].filter(([id]) => (dueAt.get(id) ?? 0) <= now + BEAT_MS);
      await inParallel(due, async ([id, ttl]) => {
        dueAt.set(id, performance.now() + (ttl * 1000) / 3);
        // A renewal that fails is made again soon; a lease that runs out shows as a foreign revision.
        await this.#renew(id, both()).catch(() => dueAt.delete(id));
      });
      await pause(BEAT_MS, signal);
    }
  }

  async #renew(id: bigint, both: boolean): Promise<void> {
    await this.#target.keepAliveOnce(id).catch(unlessGone);
    if (both) await this.#source.keepAliveOnce(id).catch(unlessGone);
  }

  async #grant(id: bigint, ttl: number): Promise<void> {
    const granted = await this.#target.grantLease(ttl, id).catch(async (error: unknown) => {
      // The answer to a first try may have been lost.
      const lease = await this.#target.leaseTimeToLive(id);
      if (lease === undefined) throw error;
      return { id, ttlSeconds: lease.grantedTtlSeconds };
    });
    if (granted.ttlSeconds !== ttl) {
      throw new EtcdError(
        "MIGRATION_REFUSED",
        `the target grants ${granted.ttlSeconds} s where the source has a lease of ${ttl} s; give the target a shorter --election-timeout`,
      );
    }
    this.#copied.set(id, ttl);
  }
}

async function idsOf(client: EtcdClient): Promise<readonly bigint[]> {
  const { leases } = await client.call(RPC.leaseLeases, {}, { idempotent: true });
  return leases.map(({ ID }) => ID);
}

function changed(id: bigint): EtcdError {
  return new EtcdError(
    "MIGRATION_FAILED",
    `the lease ${id.toString(16)} was ended and granted anew with another time to live while the store was copied`,
  );
}

function unlessGone(error: unknown): void {
  if ((error as EtcdError).code !== "LEASE_NOT_FOUND") throw error;
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, worker));
}

/** Resolves after `ms`, or when the signal fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
