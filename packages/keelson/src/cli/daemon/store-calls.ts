// The store of the cluster, as keeld tells of it and changes it.
import type { StoreStatusView, GrowthPlan, MoveLine } from "../../api/wire/store.ts";
import type { RestorePlan } from "../../model/backup.ts";
import {
  storeStatusAnswer,
  growthAnswer,
  restoreAnswer,
  moveLineAnswer,
  forgottenAnswer,
  newcomerAnswer,
} from "./answers/store.ts";
import type { DaemonCalls } from "./calls.ts";

/** What is asked of the store that holds the cluster. */
export class StoreCalls {
  readonly #calls: DaemonCalls;

  constructor(calls: DaemonCalls) {
    this.#calls = calls;
  }

  /** Asks every member of the store. */
  status(): Promise<StoreStatusView> {
    return this.#calls.get("/v1/store", storeStatusAnswer);
  }

  planGrowth(members: number): Promise<GrowthPlan> {
    return this.#calls.json({ method: "POST", path: "/v1/store/plan", json: { members } }, growthAnswer);
  }

  /** Begins a move; one line for each step, the last is `done`. It goes on when nobody reads. */
  async *move(
    move: { readonly to: "etcd"; readonly members: number } | { readonly to: "embedded" },
  ): AsyncGenerator<MoveLine> {
    yield* this.#calls.lines(
      { method: "POST", path: "/v1/store/move", json: move, patient: true },
      moveLineAnswer,
    );
  }

  /** Throws KEEL-724 unless the daemon's store can be restored now. */
  async checkRestorable(): Promise<void> {
    await this.#calls.whole({ path: "/v1/store/restore" });
  }

  /** Hands a backup in, to be restored into the running store; resolves with what that would change. */
  planRestore(stream: NodeJS.ReadableStream, bytes: number): Promise<RestorePlan> {
    const body = { stream, bytes, type: "application/octet-stream" };
    return this.#calls.json(
      { method: "POST", path: "/v1/store/restore/plan", body, patient: true },
      restoreAnswer,
    );
  }

  /** The daemon forgets what was handed in. */
  async dropRestore(): Promise<void> {
    await this.#calls.whole({ method: "DELETE", path: "/v1/store/restore/plan" });
  }

  /** Carries a plan out; one line for each step, the last is `done`. It goes on when nobody reads. */
  async *restore(plan: string): AsyncGenerator<MoveLine> {
    const call = { method: "POST", path: "/v1/store/restore", json: { plan }, patient: true } as const;
    yield* this.#calls.lines(call, moveLineAnswer);
  }

  /** Deletes what former moves have left. Resolves with the folders. */
  async forgetFormer(): Promise<readonly string[]> {
    return (await this.#calls.json({ method: "POST", path: "/v1/store/forget" }, forgottenAnswer)).forgotten;
  }

  /** What a new machine needs to speak to the store, with a private key; undefined when it needs nothing. */
  async newcomerCredentials(machine: string): Promise<unknown> {
    const call = { method: "POST", path: "/v1/store/credentials", json: { machine } } as const;
    return (await this.#calls.json(call, newcomerAnswer)).credentials ?? undefined;
  }

  /** Asks for a machine's member of the store to be taken elsewhere. */
  async replaceMember(machine: string, { cancel = false } = {}): Promise<void> {
    await this.#calls.whole({ method: "POST", path: "/v1/store/replace", json: { machine, cancel } });
  }
}
