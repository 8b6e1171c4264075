// Elections as etcd's own clients hold them, so that they can stand for election together: a candidate writes
// `<name>/<lease in hexadecimal>` on its lease, and the candidate whose key is oldest leads. When its lease
// ends, its key goes, and the next one leads.
import { EtcdError } from "../errors.ts";
import type { EtcdClient } from "./etcd-client.ts";
import type { KeyValue } from "./key-value.ts";
import { Leadership } from "./leadership.ts";
import { compare, op } from "./transaction.ts";

export interface Leader {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly lease: bigint;
}

export interface CampaignOptions {
  /** Lease that the candidate's key hangs on; the caller renews it. */
  readonly lease: bigint;
  /** What observers see of the leader, such as its name. */
  readonly value: string | Uint8Array;
  /** Gives the campaign up, and withdraws the candidate's key as well as it can. */
  readonly signal: AbortSignal;
}

export class Election {
  readonly #client: EtcdClient;
  readonly #prefix: string;

  /** `name` is the key prefix without its last slash. */
  constructor(client: EtcdClient, name: string) {
    if (name === "") throw new EtcdError("INVALID_ARGUMENT", "an election needs a name");
    this.#client = client;
    this.#prefix = `${name}/`;
  }

  /**
   * Resolves when the caller leads. A second campaign on the same lease continues the first one.
   * @throws EtcdError LEASE_NOT_FOUND when the lease is gone before that, ABORTED when the signal fires
   */
  async campaign(options: CampaignOptions): Promise<Leadership> {
    const key = `${this.#prefix}${BigInt.asUintN(64, options.lease).toString(16)}`;
    try {
      for (;;) {
        const createRevision = await this.#stand(key, options);
        if (await this.#wait(key, createRevision, options.signal)) {
          return new Leadership(this.#client, key, createRevision);
        }
      }
    } catch (error) {
      if (options.signal.aborted) await this.#withdraw(key, options.lease);
      throw error;
    }
  }

  /** The present leader, or undefined. */
  async leader(signal?: AbortSignal): Promise<Leader | undefined> {
    const { kvs } = await this.#client.range({ prefix: this.#prefix }, { signal });
    return oldest(kvs);
  }

  /** The present leader and every change of it; undefined when there is none. Ends when the signal fires. */
  async *observe(signal: AbortSignal): AsyncGenerator<Leader | undefined, void, void> {
    let told: KeyValue | undefined;
    let first = true;
    while (!signal.aborted) {
      try {
        const { kvs, revision } = await this.#client.range({ prefix: this.#prefix }, { signal });
        const candidates = new Map(kvs.map((kv) => [kv.key, kv]));
        const changes = this.#client.watch({ prefix: this.#prefix }, { startRevision: revision + 1, signal });
        for (;;) {
          const now = oldest([...candidates.values()]);
          if (first || now?.key !== told?.key || now?.modRevision !== told?.modRevision) yield now;
          first = false;
          told = now;
          const next = await changes.next();
          if (next.done === true) return;
          for (const { type, kv } of next.value.events) {
            if (type === "put") candidates.set(kv.key, kv);
            else candidates.delete(kv.key);
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!historyGone(error)) throw error;
      }
    }
  }

  /** Writes the candidate's key unless it is there already; its create revision. */
  async #stand(key: string, { lease, value, signal }: CampaignOptions): Promise<number> {
    const { succeeded, revision, responses } = await this.#client.txn(
      {
        compare: [compare.createRevision(key, "=", 0)],
        success: [op.put(key, value, { lease })],
        failure: [op.get({ key })],
      },
      { signal, idempotent: true },
    );
    if (succeeded) return revision;
    const [found] = responses;
    const own = found?.type === "get" ? found.kvs[0] : undefined;
    if (own === undefined) throw new EtcdError("BAD_RESPONSE", `the store has ${key} and has it not`);
    if (Buffer.compare(own.value, Buffer.from(value)) !== 0) {
      await this.#client.txn(
        {
          compare: [compare.createRevision(key, "=", own.createRevision)],
          success: [op.put(key, value, { lease })],
        },
        { signal, idempotent: true },
      );
    }
    return own.createRevision;
  }

  /** Waits until no older candidate is left: true; or until the own key is gone: false. */
  async #wait(key: string, createRevision: number, signal: AbortSignal): Promise<boolean> {
    const selector = { prefix: this.#prefix };
    for (;;) {
      const { kvs, revision } = await this.#client.range(selector, { keysOnly: true, signal });
      if (!kvs.some((kv) => kv.key === key && kv.createRevision === createRevision)) return false;
      if (kvs.every((kv) => kv.createRevision >= createRevision)) return true;
      try {
        for await (const _ of this.#client.watch(selector, {
          startRevision: revision + 1,
          without: "put",
          signal,
        })) {
          break;
        }
      } catch (error) {
        if (!historyGone(error)) throw error;
      }
      if (signal.aborted)
        throw new EtcdError("ABORTED", "the campaign was given up", { cause: signal.reason });
    }
  }

  async #withdraw(key: string, lease: bigint): Promise<void> {
    const transaction = { compare: [compare.lease(key, "=", lease)], success: [op.delete({ key })] };
    await this.#client.txn(transaction, { idempotent: true, attempts: 1, deadlineMs: 1000 }).catch(() => {});
  }
}

function historyGone(error: unknown): boolean {
  return error instanceof EtcdError && (error.code === "COMPACTED" || error.code === "STORE_REPLACED");
}

function oldest(candidates: readonly KeyValue[]): KeyValue | undefined {
  return candidates.reduce<KeyValue | undefined>(
    (best, kv) => (best === undefined || kv.createRevision < best.createRevision ? kv : best),
    undefined,
  );
}
