// Operations that were begun and are still being written after a while: their daemon died. The leader carries
// them on. That their daemon may still be at work does no harm.
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { resumeOperation } from "../registry/apply-operation.ts";
import type { StoreClient } from "../registry/store-client.ts";

const patienceMs = 5000;

export class Abandoned {
  readonly #store: StoreClient;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Since when each operation is seen in this state. */
  readonly #since = new Map<string, number>();

  constructor(store: StoreClient, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Carries on what was begun too long ago. Returns when to look again. */
  async carryOn(snapshot: ClusterSnapshot): Promise<number> {
    const now = this.#clock.now();
    let againMs = Infinity;
    for (const id of this.#since.keys()) {
      if (snapshot.operations.get(id)?.state !== "applying") this.#since.delete(id);
    }
    for (const operation of snapshot.operations.values()) {
      if (operation.state !== "applying") continue;
      const since = this.#since.get(operation.id) ?? now;
      this.#since.set(operation.id, since);
      if (now - since < patienceMs) {
        againMs = Math.min(againMs, since + patienceMs);
        continue;
      }
      this.#log.info("carries an abandoned operation on", {
        operation: operation.id,
        summary: operation.summary,
      });
      try {
        await resumeOperation(this.#store, operation);
      } catch (error) {
        this.#log.warn("an operation could not be carried on", {
          operation: operation.id,
          error: describeError(error),
        });
        againMs = Math.min(againMs, now + patienceMs);
      }
    }
    return againMs;
  }
}
