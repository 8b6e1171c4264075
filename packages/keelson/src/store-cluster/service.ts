// What the API can ask about the store and of it. daemons/ makes one in each keeld.
import { KeelError, describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { keys } from "../model/keys.ts";
import { replacementCodec } from "../model/store.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import { grow } from "./growth.ts";
import type { GrowthOptions } from "./growth.ts";
import { planGrowth } from "./growth-plan.ts";
import type { GrowthPlan } from "./growth-plan.ts";
import { MoveRun } from "./move-run.ts";
import { storeStatus } from "./status.ts";
import type { StoreStatusView } from "./status.ts";

export interface StoreServiceOptions extends GrowthOptions {
  readonly machines: ClusterView;
  readonly version: string;
  /** This keeld runs the embedded store. */
  readonly holdsStore: boolean;
  /** Ends with the daemon, and ends a move. */
  readonly signal: AbortSignal;
}

export class StoreService {
  readonly #options: StoreServiceOptions;
  #run: MoveRun | undefined;
  #doing = "";

  constructor(options: StoreServiceOptions) {
    this.#options = options;
  }

  /** What the leader does about the members, in words. */
  tell(words: string): void {
    this.#doing = words;
  }

  /** Asks every member of the store. */
  status(): Promise<StoreStatusView> {
    const { store, records, clock, machines, signal } = this.#options;
    const run = this.#run?.isDone === false ? [`a move is under way: ${this.#run.words}`] : [];
    const sources = {
      store,
      records,
      clock,
      machines: () => [...machines.snapshot.members.values()],
      doing: () => [...run, ...(this.#doing === "" ? [] : [this.#doing])],
    };
    return storeStatus(sources, signal);
  }

  async planGrowth(size: number): Promise<GrowthPlan> {
    const { machines, records, holdsStore, version, signal } = this.#options;
    const snapshot = await machines.synced(AbortSignal.any([signal, AbortSignal.timeout(5000)]));
    const plan = planGrowth({ snapshot, size, location: records.location, holdsStore, version });
    const isBusy = this.#run?.isDone === false;
    return isBusy ? { ...plan, refusals: [...plan.refusals, "another move is under way"] } : plan;
  }

  /** Begins the growth; it goes on whoever looks on. Throws KEEL-412 with the plan's refusals. */
  async grow(size: number): Promise<MoveRun> {
    const plan = await this.planGrowth(size);
    if (plan.refusals.length > 0) throw new KeelError("KEEL-412", plan.refusals.join("; "));
    return this.#begin(async (run) => {
      const pauseMs = await grow(this.#options, plan, { run, signal: this.#options.signal });
      const names = plan.machines.map(({ name }) => name).join(", ");
      run.succeed(`the store is a cluster of ${plan.size} members, on ${names}`, pauseMs);
    });
  }

  /** Asks for a machine's member to be taken elsewhere. Throws KEEL-412, or KEEL-502 for an unknown machine. */
  async replace(word: string): Promise<void> {
    const { machines, records, store, clock, signal } = this.#options;
    const member = [...machines.snapshot.members.values()].find(
      ({ id, name }) => id === word || name === word,
    );
    if (!member) throw new KeelError("KEEL-502", `no machine "${word.slice(0, 80)}" in the cluster`);
    if (records.location?.kind !== "etcd")
      throw new KeelError("KEEL-412", "the store is embedded in one machine and has no members to replace");
    const order = records.order(member.id);
    if (order?.wanted !== "run") throw new KeelError("KEEL-412", `${member.name} is no member of the store`);
    const value = replacementCodec.encode({ machine: member.id, since: clock.wall() });
    await store.txn({ compare: [], write: [{ put: keys.storeReplacement(member.id), value }] }, { signal });
  }

  #begin(move: (run: MoveRun) => Promise<void>): MoveRun {
    const { clock, log } = this.#options;
    const run = new MoveRun(clock);
    this.#run = run;
    move(run).catch((error: unknown) => {
      logFailure(log, error);
      run.fail(error instanceof KeelError ? error : new KeelError("KEEL-413", describeError(error)));
    });
    return run;
  }
}

function logFailure(log: Log, error: unknown): void {
  log.warn("the store did not move", { error: describeError(error) });
}
