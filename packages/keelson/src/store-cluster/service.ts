// What the API can ask about the store and of it. daemons/ makes one in each keeld.
import { join } from "node:path";
import { KeelError, describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { keys } from "../model/keys.ts";
import { replacementCodec } from "../model/store.ts";
import type { NewcomerCredentials } from "../model/store.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import { Authority, clientDays } from "../authority/authority.ts";
import { dismissMembers, grow } from "./growth.ts";
import type { GrowthOptions } from "./growth.ts";
import { planGrowth } from "./growth-plan.ts";
import type { GrowthPlan } from "./growth-plan.ts";
import { comeHome } from "./homecoming.ts";
import type { ReturnPlace } from "./homecoming.ts";
import { forgetMove, settleMove } from "./move-memory.ts";
import { newcomerCredentials } from "./newcomer.ts";
import { MoveRun } from "./move-run.ts";
import { storeStatus } from "./status.ts";
import type { StoreStatusView } from "./status.ts";

/** The embedded store of this keeld. */
export interface EmbeddedPlace extends ReturnPlace {
  /** Deletes what is put aside; the former store itself too when the store is elsewhere. */
  forget(isElsewhere: boolean): Promise<readonly string[]>;
}

export interface StoreServiceOptions extends GrowthOptions {
  readonly machines: ClusterView;
  readonly version: string;
  /** Ends with the daemon, and ends a move. */
  readonly signal: AbortSignal;
}

/** A certificate that is good for no longer should have been renewed some days ago. */
const lateMs = ((clientDays / 3) * 86_400_000 * 5) / 6;

export class StoreService {
  readonly #options: StoreServiceOptions;
  #run: MoveRun | undefined;
  #embedded: EmbeddedPlace | undefined;
  #asking: Promise<StoreStatusView> | undefined;

  constructor(options: StoreServiceOptions) {
    this.#options = options;
  }

  /** This keeld has the embedded store, and can hand it over and take it back. */
  embed(embedded: EmbeddedPlace): void {
    this.#embedded = embedded;
  }

  /** Asks every member of the store; who asks meanwhile gets the same answer. */
  status(): Promise<StoreStatusView> {
    const { store, records, clock, machines, signal } = this.#options;
    const sources = {
      store,
      records,
      clock,
      machines: () => [...machines.snapshot.members.values()],
      doing: () => this.#words(),
    };
    this.#asking ??= storeStatus(sources, signal).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** What this keeld knows of the store beside what the store's members say. */
  #words(): readonly string[] {
    const { store, identity, clock } = this.#options;
    const words: string[] = [];
    if (this.#run?.isDone === false) words.push(`a move is under way: ${this.#run.words}`);
    const leftMs = (identity.until ?? Number.POSITIVE_INFINITY) - clock.wall();
    if (store.access.tls !== undefined && leftMs < lateMs) {
      const days = Math.max(0, Math.floor(leftMs / 86_400_000));
      words.push(
        `this keeld's certificate is good for ${days} more days and was not renewed: start the keeld that has the authority`,
      );
    }
    return words;
  }

  async planGrowth(size: number): Promise<GrowthPlan> {
    const { machines, records, version, signal } = this.#options;
    const snapshot = await machines.synced(AbortSignal.any([signal, AbortSignal.timeout(5000)]));
    const holdsStore = this.#embedded !== undefined;
    const plan = planGrowth({ snapshot, size, location: records.location, holdsStore, version });
    return this.#isBusy ? { ...plan, refusals: [...plan.refusals, "another move is under way"] } : plan;
  }

  /** Begins the growth; it goes on whoever looks on. Throws KEEL-412 with the plan's refusals. */
  async grow(size: number): Promise<MoveRun> {
    const plan = await this.planGrowth(size);
    if (plan.refusals.length > 0) throw new KeelError("KEEL-412", plan.refusals.join("; "));
    return this.#begin(async (run) => {
      const pauseMs = await grow(this.#options, plan, { run, signal: this.#options.signal });
      const names = plan.machines.map(({ name }) => name).join(", ");
      run.succeed(
        `the store is a cluster of ${plan.size} member${plan.size === 1 ? "" : "s"}, on ${names}`,
        pauseMs,
      );
    });
  }

  /** Begins the way back into this keeld's embedded store. Throws KEEL-412. */
  comeHome(): MoveRun {
    const embedded = this.#embedded;
    const { records } = this.#options;
    if (!embedded)
      throw new KeelError("KEEL-412", "this keeld cannot embed the store: it lacks the role `store`");
    if (records.location?.kind !== "etcd") throw new KeelError("KEEL-412", "the store is embedded already");
    if (this.#isBusy) throw new KeelError("KEEL-412", "another move is under way");
    return this.#begin(async (run) => {
      const pauseMs = await comeHome(this.#options, embedded, { run, signal: this.#options.signal });
      run.succeed("the store is embedded in this keeld", pauseMs);
    });
  }

  /** Throws KEEL-724 unless this keeld's embedded store may be replaced by another now. */
  checkReplaceable(): void {
    const { records, store } = this.#options;
    if (records.location?.kind === "etcd") {
      throw new KeelError(
        "KEEL-724",
        "the store is a cluster of etcd, and a restore puts an embedded store in place",
        {
          hint: "`keel store migrate --to embedded`, restore, then `keel store grow`",
        },
      );
    }
    if (!this.#embedded) {
      throw new KeelError("KEEL-724", "this machine does not run the embedded store", {
        hint: "ask the keeld with the role `store`",
      });
    }
    if (this.#isBusy || store.sealedSinceMs !== undefined)
      throw new KeelError("KEEL-724", "a move of the store, or another restore, is under way", {
        hint: "`keel store status` follows it",
      });
  }

  /** Replaces the embedded store. `replace` resolves with what to tell. Throws KEEL-724. */
  replaceEmbedded(
    replace: (run: MoveRun) => Promise<{ readonly words: string; readonly pauseMs: number }>,
  ): MoveRun {
    this.checkReplaceable();
    return this.#begin(async (run) => {
      const { words, pauseMs } = await replace(run);
      run.succeed(words, pauseMs);
    });
  }

  /** Deletes what former moves have left on this machine. Resolves with the folders. Throws KEEL-412. */
  async forgetFormer(): Promise<readonly string[]> {
    if (!this.#embedded) throw new KeelError("KEEL-412", "this keeld never had the store");
    if (this.#isBusy) throw new KeelError("KEEL-412", "a move is under way");
    return this.#embedded.forget(this.#options.records.location?.kind === "etcd");
  }

  /**
   * What a new machine needs to speak to the store: made here, since it cannot ask the store for it yet. undefined
   * while the store takes everybody. Throws KEEL-412 where the authority is not.
   */
  async credentials(machine: string): Promise<NewcomerCredentials | undefined> {
    const { records, stateDir, clock } = this.#options;
    const { location } = records;
    if (location === undefined || location.authority === "") return undefined;
    const authority = await Authority.open(join(stateDir, "authority"), clock);
    if (authority?.fingerprint !== location.authority)
      throw new KeelError("KEEL-412", "the authority of the store is on another machine: ask its keeld");
    return newcomerCredentials({ authority, location, machine, stateDir });
  }

  /** Ends a move that a former run of this daemon did not bring to its end. */
  async settle(signal: AbortSignal): Promise<void> {
    const { records, stateDir } = this.#options;
    const settled = await settleMove(this.#options, signal);
    const { kind, epoch = 0 } = settled?.location ?? {};
    if (kind === "embedded" && settled?.outcome === "done") await this.#embedded?.confirm(epoch);
    if (kind === "embedded" && settled?.outcome === "undone") await this.#embedded?.giveUp();
    if (settled) await forgetMove(stateDir);
    await records.until(() => true, signal);
    // Members of a growth that did not come as far as its hand-over.
    const isIdle = !this.#isBusy && records.location?.kind !== "etcd";
    if (isIdle && records.orders().length > 0) await dismissMembers(this.#options);
  }

  get #isBusy(): boolean {
    return this.#run?.isDone === false;
  }

  /**
   * Asks for a machine's member to be taken elsewhere, or takes that back. Throws KEEL-412, also when no machine is
   * free to take it, and KEEL-502 for an unknown machine.
   */
  async replace(word: string, { cancel = false }: { readonly cancel?: boolean } = {}): Promise<void> {
    const { machines, records, store, clock, signal } = this.#options;
    const member = [...machines.snapshot.members.values()].find(
      ({ id, name }) => id === word || name === word,
    );
    if (!member) throw new KeelError("KEEL-502", `no machine "${word.slice(0, 80)}" in the cluster`);
    if (records.location?.kind !== "etcd")
      throw new KeelError("KEEL-412", "the store is embedded in one machine and has no members to replace");
    const order = records.order(member.id);
    if (order?.wanted !== "run") throw new KeelError("KEEL-412", `${member.name} is no member of the store`);
    const key = keys.storeReplacement(member.id);
    if (cancel) {
      await store.txn({ compare: [], write: [{ delete: key }] }, { signal });
      return;
    }
    const isFree = ({ id }: { readonly id: string }): boolean => records.order(id)?.wanted !== "run";
    if (![...machines.snapshot.machines.values()].some(isFree)) {
      throw new KeelError("KEEL-412", `no machine is free to take the member of ${member.name}`, {
        hint: "Add one: keel machine add",
      });
    }
    const value = replacementCodec.encode({ machine: member.id, since: clock.wall() });
    await store.txn({ compare: [], write: [{ put: key, value }] }, { signal });
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
  log.warn("the store stays as it was", { error: describeError(error) });
}
