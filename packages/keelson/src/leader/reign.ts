// One reign: looks at the cluster after every change that matters, asks the scheduler, writes what it says. The
// leader makes one for each time it is elected.
// Invariants: a pass sees everything that this reign has written; nothing is written after the leadership is over.
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { timeOrderedId, type Random } from "../base/random.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Decider, DeciderScene, Decision } from "../model/decision.ts";
import { keys, machineAndUnit, nameIn, prefixes } from "../model/keys.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import type { ClusterView, ViewChange } from "../registry/cluster-view.ts";
import { GarbageCollector } from "../registry/garbage.ts";
import type { Leadership } from "../registry/leadership.ts";
import { applyOperation } from "../registry/apply-operation.ts";
import { writeAlarm, writeOrders } from "../registry/orders.ts";
import { writeRecords } from "../registry/records.ts";
import type { StoreClient } from "../registry/store-client.ts";
import {
  massFailureAlarm,
  overfullAlarm,
  type Plan,
  type SchedulerFacts,
  type WriteGroup,
} from "../scheduler/plan.ts";
import { schedule } from "../scheduler/schedule.ts";
import { Abandoned } from "./abandoned.ts";
import { cautious, damagedAlarm, damageInWords, withheld } from "./caution.ts";
import { Council, type Decided, deciderAlarm } from "./council.ts";
import { deciders as allDeciders } from "./deciders.ts";
import { Echo } from "./echo.ts";
import { Impulse } from "./impulse.ts";
import type { LeaderMetrics } from "./leader-metrics.ts";
import { Rest } from "./rest.ts";
import { UnitFiles } from "./unit-files.ts";

export interface ReignOptions {
  readonly store: StoreClient;
  readonly bodies: BodyCache;
  readonly leadership: Leadership;
  /** The whole cluster. */
  readonly view: ClusterView;
  /** The machines alone, watched since before the election. */
  readonly machines: ClusterView;
  readonly leaseSeconds: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: LeaderMetrics;
  /** Asked before the scheduler, in this order; all that there are unless given. */
  readonly deciders?: readonly Decider[];
}

/** Changes come in swarms: so long is waited for the rest of one. */
const swarmMs = 10;
const garbageMs = 60_000;
/** Newcomers that one pass places: with a thousand machines that takes it no longer than what else it has to do. */
const mostPlaced = 2000;
/** After orders for newcomers alone there is nothing more to be done, as a rule: that is looked at a little later. */
const echoMs = 1000;
const seenWithinMs = 5000;
/** The scheduler failed: nothing is placed until it does not any more. */
const schedulerAlarm = "scheduler";
/** After that it is asked again. */
const schedulerAgainMs = 10_000;
/** Keys whose change alone calls for no pass. */
const bystanders = [prefixes.operations, prefixes.images, prefixes.cluster, prefixes.store];

export class Reign {
  readonly #options: ReignOptions;
  readonly #impulse: Impulse;
  readonly #files: UnitFiles;
  readonly #echo = new Echo();
  readonly #garbage: GarbageCollector;
  readonly #abandoned: Abandoned;
  readonly #council: Council;
  readonly #ownAlarms: readonly string[];
  #awaitsReports = false;
  #unplaced: Plan["unplaced"] = new Map();
  readonly #rest: Rest;
  /** Due before the next pass. */
  #restMs = 0;
  #collecting: Promise<void> | undefined;
  #garbageAtMs: number;

  constructor(options: ReignOptions) {
    const { clock, store, log } = options;
    this.#options = options;
    this.#impulse = new Impulse(clock);
    this.#files = new UnitFiles(options);
    this.#garbage = new GarbageCollector(store, options);
    this.#abandoned = new Abandoned(store, { clock, log });
    const { deciders = allDeciders } = options;
    this.#council = new Council({
      deciders,
      clock,
      log,
      scene: () => this.#scene(),
      write: (decider, decision) => this.#write(decider, decision),
    });
    const ofDeciders = deciders.map(({ name }) => deciderAlarm(name));
    this.#ownAlarms = [massFailureAlarm, overfullAlarm, damagedAlarm, schedulerAlarm, ...ofDeciders];
    this.#rest = new Rest(clock.now());
    this.#garbageAtMs = clock.now() + garbageMs;
  }

  /** Returns when the leadership is over; rejects when it must end. */
  async run(): Promise<void> {
    const { view, machines, leadership, clock } = this.#options;
    const { over } = leadership;
    const stops = [
      view.onChange((change) => this.#hear(change)),
      machines.onChange(() => this.#impulse.give()),
    ];
    this.#impulse.give();
    try {
      while (!over.aborted) {
        const againMs = await this.#pass();
        const restMs = this.#restMs;
        this.#restMs = 0;
        await clock.sleep(restMs, over);
        await this.#impulse.taken({ byMs: againMs, signal: over });
        await clock.sleep(swarmMs, over);
      }
    } catch (error) {
      if (!over.aborted) throw error;
    } finally {
      for (const stop of stops) stop();
      await this.#collecting;
    }
  }

  #hear(change: ViewChange): void {
    const { snapshot, reset } = change;
    this.#files.hear(change);
    const changed = this.#echo.without(change.keys);
    const { damaged } = this.#options.view;
    const matters = (key: string): boolean =>
      damaged.has(key) ||
      (key.startsWith(prefixes.status)
        ? this.#awaitsReports || hasFailures(key, snapshot)
        : !bystanders.some((prefix) => key.startsWith(prefix)));
    const isBegun = (key: string): boolean =>
      snapshot.operations.get(nameIn(prefixes.operations, key) ?? "")?.state === "applying";
    if (reset || changed.some((key) => matters(key) || isBegun(key))) this.#impulse.give();
  }

  /** One look at the cluster. Returns when to look again although nothing changes. */
  async #pass(): Promise<number> {
    const { view, clock, metrics, log } = this.#options;
    this.#impulse.clear();
    this.#echo.forget();
    if (!(await this.#files.read(view.snapshot, this.#options.leadership.over))) return clock.now() + 500;
    let decided: Decided;
    let plan: Plan;
    try {
      decided = await this.#council.decide();
      const snapshot = cautious(view.snapshot, view.damaged);
      const started = clock.now();
      const facts = this.#facts();
      plan = this.#plan(snapshot, { facts, decided });
      const passMs = clock.now() - started;
      this.#restMs = this.#rest.after(passMs, clock.now());
      this.#unplaced = plan.unplaced;
      metrics.passed(passMs, plan.unplaced.size);
      this.#awaitsReports = plan.awaitsReports || decided.awaitsReports;
      if (!decided.hasWritten && !this.#awaitsReports) this.#echo.expect(plan);
      await this.#carryOut(plan, { snapshot, facts });
    } catch (error) {
      if (!(error instanceof KeelError) || error.code !== "KEEL-403") throw error;
      // Nothing was written: a machine is back, or the leadership is over and `over` is about to say so.
      log.info("the plan is void", { error: describeError(error) });
      return clock.now() + 200;
    }
    const snapshot = cautious(view.snapshot, view.damaged);
    const abandonedAtMs = await this.#abandoned.carryOn(snapshot);
    this.#collectGarbage(snapshot);
    if (plan.isCut) this.#impulse.give();
    const againMs = Math.min(plan.againMs ?? Infinity, decided.againMs ?? Infinity);
    const echoAtMs = this.#echo.isHeard ? clock.now() + echoMs : Infinity;
    return Math.min(againMs, abandonedAtMs, this.#garbageAtMs, echoAtMs);
  }

  /** The scheduler's plan without what must wait, and with all alarms that are to stand. */
  #plan(
    snapshot: ClusterSnapshot,
    { facts, decided }: { readonly facts: SchedulerFacts; readonly decided: Decided },
  ): Plan {
    const { view, clock, log } = this.#options;
    const damage = damageInWords(view.damaged);
    const alarms = new Map<string, string>(damage === undefined ? [] : [[damagedAlarm, damage]]);
    for (const [name, text] of decided.alarms) if (text !== undefined) alarms.set(name, text);
    try {
      const plan = schedule(snapshot, this.#files.placements, facts);
      const groups = withheld(plan.groups, snapshot, view.damaged);
      return { ...plan, groups, alarms: new Map([...plan.alarms, ...alarms]) };
    } catch (error) {
      log.error("the scheduler failed", { error: describeError(error) });
      alarms.set(schedulerAlarm, `nothing is placed or moved: ${describeError(error)}`);
      for (const [name, text] of snapshot.alarms) if (!alarms.has(name)) alarms.set(name, text);
      const againMs = clock.now() + schedulerAgainMs;
      return {
        groups: [],
        unplaced: this.#unplaced,
        stays: new Map(),
        alarms,
        awaitsReports: false,
        againMs,
        isCut: false,
      };
    }
  }

  #scene(): DeciderScene {
    const { view, clock, random } = this.#options;
    const wallMs = clock.wall();
    return {
      snapshot: cautious(view.snapshot, view.damaged),
      placements: this.#files.placements,
      nowMs: clock.now(),
      wallMs,
      newId: () => timeOrderedId(wallMs, random),
      unplaced: this.#unplaced,
    };
  }

  /** Writes what a decider says; the view shows it before this returns. */
  async #write(
    decider: Decider,
    { records, operations }: Pick<Decision, "records" | "operations">,
  ): Promise<boolean> {
    const { store, leadership, log } = this.#options;
    const { fence } = leadership;
    const call = { signal: leadership.over };
    let revision = await writeRecords(store, fence, records, call);
    for (const operation of operations) {
      log.info("operation", { id: operation.id, summary: operation.summary, by: decider.name });
      revision = await applyOperation(store, operation, new Map(), { ...call, fence });
    }
    if (revision > 0) await this.#seen(revision);
    return revision > 0;
  }

  #facts(): SchedulerFacts {
    const { clock, view, machines, leadership, leaseSeconds } = this.#options;
    return {
      nowMs: clock.now(),
      wallMs: clock.wall(),
      continuousSinceMs: view.continuousSinceMs === undefined ? undefined : machines.continuousSinceMs,
      goneSince: machines.goneSince,
      leaseMs: leaseSeconds * 1000,
      fence: leadership.revision,
      mostPlaced,
    };
  }

  async #carryOut(
    { groups, alarms }: Plan,
    { snapshot, facts }: { readonly snapshot: ClusterSnapshot; readonly facts: SchedulerFacts },
  ): Promise<void> {
    const { store, leadership, metrics } = this.#options;
    let revision = 0;
    for (const group of groups) {
      if (group.absent.length > 0) this.#insistOnContinuity(facts);
      this.#tell(group);
      revision = await writeOrders(store, this.#fenceFor(group), group.writes, { signal: leadership.over });
      metrics.orders.add(group.writes.length);
    }
    for (const name of this.#ownAlarms) {
      const text = alarms.get(name);
      if (snapshot.alarms.get(name) === text) continue;
      this.#tellAlarm(name, text);
      revision = await writeAlarm(store, leadership.fence, { name, text }, { signal: leadership.over });
    }
    if (revision > 0) await this.#seen(revision);
  }

  /**
   * Others may have been told meanwhile that this daemon has no contact with the store, and go on with their units
   * on the strength of it: then nothing may move that the plan, made before, would move.
   */
  #insistOnContinuity({ continuousSinceMs }: SchedulerFacts): void {
    if (this.#options.machines.continuousSinceMs === continuousSinceMs) return;
    throw new KeelError("KEEL-403", "the view of the machines was interrupted");
  }

  /** The next pass must see what this one wrote. A view that does not get there is not trusted. */
  async #seen(revision: number): Promise<void> {
    const { view, clock, leadership } = this.#options;
    const patience = new AbortController();
    const timer = clock.timer(seenWithinMs, () =>
      patience.abort(new Error("the view does not show what was written")),
    );
    try {
      await view.waitFor(revision, AbortSignal.any([leadership.over, patience.signal]));
    } finally {
      timer.cancel();
    }
  }

  #fenceFor({ absent }: WriteGroup): Leadership["fence"] {
    const gone = absent.map(
      (id) => ({ key: keys.machine(id), target: "create", is: "=", revision: 0 }) as const,
    );
    return [...this.#options.leadership.fence, ...gone];
  }

  #tell({ writes }: WriteGroup): void {
    const { log, view } = this.#options;
    for (const write of writes) {
      const machine = view.snapshot.members.get(write.machine)?.name ?? write.machine;
      if ("remove" in write)
        log.info("takes an order back", { unit: write.remove, machine, because: write.because });
      else log.info("orders", { unit: write.entry.unit, machine, because: write.entry.because });
    }
  }

  #tellAlarm(name: string, text: string | undefined): void {
    const { log } = this.#options;
    if (text === undefined) log.info("the alarm is over", { alarm: name });
    else log.error("alarm", { alarm: name, text });
  }

  /** Beside the passes, which do not wait for it: it reads the names of all files. */
  #collectGarbage(snapshot: ClusterSnapshot): void {
    const { clock } = this.#options;
    if (clock.now() < this.#garbageAtMs) return;
    this.#garbageAtMs = clock.now() + garbageMs;
    this.#collecting ??= this.#collect(snapshot).finally(() => (this.#collecting = undefined));
  }

  async #collect(snapshot: ClusterSnapshot): Promise<void> {
    const { leadership, log, view } = this.#options;
    try {
      const call = { signal: leadership.over };
      // Nobody knows to which files a record points that cannot be read.
      if (view.damaged.size > 0) await this.#garbage.forgetOperations(snapshot, leadership.fence, call);
      else await this.#garbage.collect(snapshot, leadership.fence, call);
    } catch (error) {
      log.warn("the garbage collection failed", { error: describeError(error) });
    }
  }
}

/** Whether it is the status of a unit that has failed: it may have to move. */
function hasFailures(key: string, { statuses }: ClusterSnapshot): boolean {
  const place = machineAndUnit(prefixes.status, key);
  return place !== undefined && statuses.get(place.machine)?.get(place.unit)?.failures !== undefined;
}
