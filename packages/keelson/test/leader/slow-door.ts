import { SimulatedDoor, type SimulatedStore } from "../../src/registry/simulated-store.ts";
import type { CallOptions, Txn, TxnAnswer } from "../../src/registry/store-client.ts";

/**
 * A way to the store on which transactions can be held up. They arrive when they are let go, even when the door was
 * cut meanwhile and whoever sent them has given up.
 */
export class SlowDoor extends SimulatedDoor {
  readonly #store: SimulatedStore;
  #underWay: (() => TxnAnswer)[] | undefined;

  constructor(store: SimulatedStore) {
    super(store);
    this.#store = store;
  }

  /** From now on transactions stay under way. */
  holdUp(): void {
    this.#underWay = [];
  }

  /** What is under way arrives. The store's answers. */
  letGo(): TxnAnswer[] {
    const arriving = this.#underWay ?? [];
    this.#underWay = undefined;
    return arriving.map((arrive) => arrive());
  }

  override txn(txn: Txn, options: CallOptions = {}): Promise<TxnAnswer> {
    if (this.#underWay === undefined) return super.txn(txn, options);
    const { promise, resolve, reject } = Promise.withResolvers<TxnAnswer>();
    this.#underWay.push(() => {
      const answer = this.#store.txn(txn);
      resolve(answer);
      return answer;
    });
    options.signal?.addEventListener("abort", () => reject(options.signal?.reason), { once: true });
    return promise;
  }
}
