// Takes away what nobody needs any more: operations past their time, and bodies that nothing points to.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { keys } from "../model/keys.ts";
import { hashesInUse, listBodies } from "./bodies.ts";
import { writeFenced } from "./orders.ts";
import type { CallOptions, Compare, StoreClient } from "./store-client.ts";

export interface Collected {
  readonly operations: number;
  readonly bodies: number;
}

/** The leader's collector. It takes a body only when nothing pointed to it in two passes, a minute apart. */
export class GarbageCollector {
  readonly #client: StoreClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #unused = new Map<string, { readonly modRevision: number; readonly since: number }>();

  constructor(client: StoreClient, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  async collect(
    snapshot: ClusterSnapshot,
    fence: readonly Compare[],
    options: CallOptions = {},
  ): Promise<Collected> {
    const operations = await this.forgetOperations(snapshot, fence, options);
    return { operations, bodies: await this.#collectBodies(snapshot, fence, options) };
  }

  /** Takes only the operations. Returns how many. */
  async forgetOperations(
    snapshot: ClusterSnapshot,
    fence: readonly Compare[],
    options: CallOptions = {},
  ): Promise<number> {
    const wall = this.#clock.wall();
    const expired = [...snapshot.operations.values()].filter(
      ({ expires, state }) => expires < wall && state === "applied",
    );
    const deletes = expired.map(({ id }) => ({ delete: keys.operation(id) }));
    await writeFenced(this.#client, fence, deletes, options);
    return expired.length;
  }

  async #collectBodies(
    snapshot: ClusterSnapshot,
    fence: readonly Compare[],
    options: CallOptions,
  ): Promise<number> {
    const used = hashesInUse(snapshot);
    const present = await listBodies(this.#client, options);
    const now = this.#clock.now();
    let collected = 0;
    for (const hash of this.#unused.keys()) {
      if (used.has(hash) || !present.has(hash)) this.#unused.delete(hash);
    }
    for (const [hash, modRevision] of present) {
      if (used.has(hash)) continue;
      const known = this.#unused.get(hash);
      if (known === undefined || known.modRevision !== modRevision) {
        this.#unused.set(hash, { modRevision, since: now });
      } else if (now - known.since >= 60_000) {
        collected += await deleteBody(this.#client, { hash, modRevision, fence }, options);
      }
    }
    if (collected > 0) this.#log.info("took unused unit files away", { count: collected });
    return collected;
  }
}

/**
 * Ends the time for undoing: takes all operations of the snapshot away but `keep`, and then every body that
 * nothing else points to.
 */
export async function purgeHistory(
  client: StoreClient,
  snapshot: ClusterSnapshot,
  keep: string,
  options: CallOptions = {},
): Promise<Collected> {
  const operations = new Map(
    [...snapshot.operations].filter(([id, { state }]) => id === keep || state === "applying"),
  );
  const gone = [...snapshot.operations.keys()].filter((id) => !operations.has(id));
  await writeFenced(
    client,
    [],
    gone.map((id) => ({ delete: keys.operation(id) })),
    options,
  );
  const used = hashesInUse({ ...snapshot, operations });
  let bodies = 0;
  for (const [hash, modRevision] of await listBodies(client, options)) {
    // What was written after the snapshot belongs to an operation that the snapshot does not show yet.
    if (used.has(hash) || modRevision > snapshot.revision) continue;
    bodies += await deleteBody(client, { hash, modRevision, fence: [] }, options);
  }
  return { operations: gone.length, bodies };
}

async function deleteBody(
  client: StoreClient,
  body: { readonly hash: string; readonly modRevision: number; readonly fence: readonly Compare[] },
  options: CallOptions,
): Promise<number> {
  const key = keys.body(body.hash);
  const unchanged: Compare = { key, target: "mod", is: "=", revision: body.modRevision };
  const answer = await client.txn({ compare: [...body.fence, unchanged], write: [{ delete: key }] }, options);
  return answer.succeeded ? 1 : 0;
}
