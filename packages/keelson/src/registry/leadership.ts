// Who leads: the candidate with the oldest key under leader/. Its create revision is the fence that every
// write of the leader compares.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import { prefixes } from "../model/keys.ts";
import { prefixEnd, storeErrorCode } from "./store-client.ts";
import type { Compare, StoreClient } from "./store-client.ts";

export interface Leadership {
  /** Compared in each of the leader's transactions. */
  readonly fence: readonly Compare[];
  /** Create revision of the election key: what orders carry as `fence`. */
  readonly revision: number;
  /** Aborts when it is over: lost, not renewed in time by this machine's clock, or given up. */
  readonly over: AbortSignal;
  /** Gives it up at once. */
  resign(): Promise<void>;
}

export interface CampaignOptions {
  readonly machine: string;
  readonly leaseSeconds: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  /** Ends the campaign, and the leadership with it. */
  readonly signal: AbortSignal;
}

/** Resolves when this candidate leads. Tries for as long as it takes; rejects with the signal's reason only. */
export async function campaign(client: StoreClient, options: CampaignOptions): Promise<Leadership> {
  const { clock, log, signal, random = systemRandom } = options;
  const backoff = new Backoff({ firstMs: 200, maxMs: 3000 }, random);
  for (;;) {
    const candidacy = new Candidacy(client, options);
    try {
      return await candidacy.win();
    } catch (error) {
      await candidacy.end();
      if (signal.aborted) throw signal.reason;
      log.debug("the campaign starts over", { error: describeError(error) });
    }
    await clock.sleep(backoff.next(), signal);
  }
}

/** One key under one lease, from its making to its end. */
class Candidacy {
  readonly #client: StoreClient;
  readonly #options: CampaignOptions;
  readonly #lifetime: Lifetime;
  #lease = 0n;
  #renewedAt = 0;

  constructor(client: StoreClient, options: CampaignOptions) {
    this.#client = client;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
  }

  async win(): Promise<Leadership> {
    const { leaseSeconds, clock, machine } = this.#options;
    const { signal } = this.#lifetime;
    this.#renewedAt = clock.now();
    this.#lease = await this.#client.grantLease(leaseSeconds, { signal });
    this.#lifetime.run("leader lease", () => this.#renew());
    const key = `${prefixes.leader}${this.#lease.toString(16)}`;
    const { revision } = await this.#client.txn(
      {
        compare: [{ key, target: "create", is: "=", revision: 0 }],
        write: [{ put: key, value: machine, lease: this.#lease }],
      },
      { signal },
    );
    await this.#waitForPredecessors(revision);
    const end = (): Promise<void> => this.end();
    return { fence: [{ key, target: "create", is: "=", revision }], revision, over: signal, resign: end };
  }

  /** Ends the lease and with it the key. */
  async end(): Promise<void> {
    await this.#lifetime.close();
    if (this.#lease === 0n) return;
    try {
      await this.#client.revokeLease(this.#lease, { timeoutMs: 1000 });
    } catch {
      // It runs out by itself.
    }
  }

  async #waitForPredecessors(revision: number): Promise<void> {
    const { signal } = this.#lifetime;
    const all = { key: prefixes.leader, end: prefixEnd(prefixes.leader) };
    for (;;) {
      const answer = await this.#client.range({ ...all, keysOnly: true }, { signal });
      const before = answer.values.filter((value) => value.createRevision < revision);
      if (!answer.values.some((value) => value.createRevision === revision)) {
        throw new Error("the candidate's key is gone");
      }
      const nearest = before.sort((a, b) => b.createRevision - a.createRevision)[0];
      if (nearest === undefined) return;
      await this.#waitForDelete(nearest.key, answer.revision + 1);
    }
  }

  async #waitForDelete(key: string, from: number): Promise<void> {
    const watching = new AbortController();
    const signal = AbortSignal.any([this.#lifetime.signal, watching.signal]);
    try {
      for await (const { events } of this.#client.watch({ key, from }, signal)) {
        if (events.some(({ type }) => type === "delete")) return;
      }
      this.#lifetime.signal.throwIfAborted();
    } finally {
      watching.abort();
    }
  }

  async #renew(): Promise<void> {
    const { leaseSeconds, clock, log } = this.#options;
    const { signal } = this.#lifetime;
    const everyMs = (leaseSeconds * 1000) / 4;
    // The store may end the lease from then on. Over means over a little earlier.
    const lastMs = leaseSeconds * 1000 - 500;
    for (;;) {
      await clock.sleep(Math.min(everyMs, Math.max(0, this.#renewedAt + lastMs - clock.now())), signal);
      const sentAt = clock.now();
      if (sentAt - this.#renewedAt >= lastMs) break;
      try {
        const timeoutMs = Math.max(50, Math.min(everyMs, this.#renewedAt + lastMs - sentAt));
        await this.#client.renewLease(this.#lease, { signal, timeoutMs });
        this.#renewedAt = sentAt;
      } catch (error) {
        if (storeErrorCode(error) === "LEASE_NOT_FOUND") break;
        if (!signal.aborted) await clock.sleep(200, signal);
      }
    }
    log.debug("the candidate's lease is over");
    // Not awaited: closing waits for this very task.
    void this.#lifetime.close();
  }
}
