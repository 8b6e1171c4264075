// Plays the cluster on from a snapshot without a cluster: the leader's own deciders and the scheduler, machines
// that do as they are told at once and without fail, and a clock that jumps to the next moment that matters.
// `what-if` and the survivability of the cluster are worked out with it. Pure.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Decider } from "../../model/decision.ts";
import type { Change } from "../../model/operation.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import type { RecordChange } from "../../model/record-kinds.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import type { Plan, SchedulerFacts, Write } from "../plan.ts";
import { schedule } from "../schedule.ts";
import { withChanges, withRecords } from "./supposed-records.ts";

/** Passes after which a play is given up, and how far its clock goes: a drain's deadline is not waited for. */
const mostPasses = 200;
const horizonMs = 15 * 60_000;

export interface PlayOptions {
  readonly placements: PlacementSource;
  readonly facts: SchedulerFacts;
  /** Asked before each pass, as the leader does. */
  readonly deciders: readonly Decider[];
}

export class Play {
  #snapshot: ClusterSnapshot;
  #facts: SchedulerFacts;
  readonly #options: PlayOptions;
  readonly #untilMs: number;
  /** What each machine was told when it last obeyed. */
  readonly #obeyed = new Map<string, ReadonlyMap<string, ScheduleEntry>>();
  #plan: Plan | undefined;
  #passes = 0;
  #isSettled = false;
  #ids = 0;

  constructor(snapshot: ClusterSnapshot, options: PlayOptions) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.#facts = options.facts;
    this.#untilMs = options.facts.nowMs + horizonMs;
  }

  get snapshot(): ClusterSnapshot {
    return this.#snapshot;
  }

  get facts(): SchedulerFacts {
    return this.#facts;
  }

  /** Of the last pass. */
  get plan(): Plan | undefined {
    return this.#plan;
  }

  /** Whether nothing moves any more; `false` when the play was given up before. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** One pass and what follows from it. `false` when the play is over. */
  step(): boolean {
    if (this.#isSettled || this.#passes >= mostPasses) return false;
    this.#passes += 1;
    const before = this.#snapshot;
    const decidedAgainMs = this.#decide();
    const plan = schedule(this.#snapshot, this.#options.placements, this.#facts);
    this.#plan = plan;
    for (const { writes } of plan.groups) this.#write(writes);
    this.#obey();
    if (this.#snapshot !== before) {
      this.#pass(1000);
      return true;
    }
    const againMs = Math.min(plan.againMs ?? Infinity, decidedAgainMs);
    if (againMs > this.#untilMs) {
      this.#isSettled = true;
      return false;
    }
    this.#pass(Math.max(1, againMs - this.#facts.nowMs));
    return true;
  }

  /** Until nothing moves any more. */
  run(): this {
    while (this.step());
    return this;
  }

  #pass(ms: number): void {
    const { nowMs, wallMs } = this.#facts;
    this.#facts = { ...this.#facts, nowMs: nowMs + ms, wallMs: wallMs + ms };
  }

  #decide(): number {
    const { placements, deciders } = this.#options;
    let againMs = Infinity;
    for (const decider of deciders) {
      const { nowMs, wallMs } = this.#facts;
      const newId = (): string => `supposed-${++this.#ids}`;
      const decision = decider.decide({ snapshot: this.#snapshot, placements, nowMs, wallMs, newId });
      againMs = Math.min(againMs, decision.againMs ?? Infinity);
      this.#change(decision.records, []);
      for (const { records = [], changes } of decision.operations) this.#change(records, changes);
    }
    return againMs;
  }

  #change(records: readonly RecordChange[], changes: readonly Change[]): void {
    this.#snapshot = withChanges(withRecords(this.#snapshot, records), changes);
  }

  #write(writes: readonly Write[]): void {
    if (writes.length === 0) return;
    const orders = new Map(this.#snapshot.schedule);
    const fresh = new Map<string, Map<string, ScheduleEntry>>();
    for (const write of writes) {
      const entries = fresh.get(write.machine) ?? new Map(orders.get(write.machine));
      fresh.set(write.machine, entries);
      if ("entry" in write) entries.set(write.entry.unit, write.entry);
      else entries.delete(write.remove);
    }
    for (const [machine, entries] of fresh) {
      if (entries.size > 0) orders.set(machine, entries);
      else orders.delete(machine);
    }
    this.#snapshot = { ...this.#snapshot, schedule: orders };
  }

  /** Every machine that reports does what it was told. */
  #obey(): void {
    let statuses: Map<string, ReadonlyMap<string, UnitStatus>> | undefined;
    for (const id of this.#snapshot.machines.keys()) {
      const orders = this.#snapshot.schedule.get(id) ?? noOrders;
      if (this.#obeyed.get(id) === orders) continue;
      this.#obeyed.set(id, orders);
      const known = this.#snapshot.statuses.get(id);
      const next = obeyed(orders, known, this.#facts.wallMs);
      if (next === known || (next.size === 0 && known === undefined)) continue;
      statuses ??= new Map(this.#snapshot.statuses);
      if (next.size === 0) statuses.delete(id);
      else statuses.set(id, next);
    }
    if (statuses !== undefined) this.#snapshot = { ...this.#snapshot, statuses };
  }
}

const noOrders: ReadonlyMap<string, ScheduleEntry> = new Map();

/** What the machine reports when it has carried its orders out; the same map when it has already. */
function obeyed(
  orders: ReadonlyMap<string, ScheduleEntry>,
  known: ReadonlyMap<string, UnitStatus> | undefined,
  wallMs: number,
): ReadonlyMap<string, UnitStatus> {
  const next = new Map<string, UnitStatus>();
  let isSame = known?.size === orders.size;
  for (const order of orders.values()) {
    const status = known?.get(order.unit);
    if (status !== undefined && isDone(order, status)) {
      next.set(order.unit, status);
    } else {
      next.set(order.unit, done(order, wallMs));
      isSame = false;
    }
  }
  return isSame && known !== undefined ? known : next;
}

/** What runs, ended or failed by this very order stays as it is: a play mends nothing. */
function isDone({ hash, restarts, desired, run }: ScheduleEntry, status: UnitStatus): boolean {
  if (status.hash !== hash || status.restarts !== restarts) return false;
  if (run !== status.run) return false;
  if (status.ended !== undefined || status.health === "failed") return true;
  return desired === "launched" ? status.active === "active" : status.active === "inactive";
}

function done({ unit, hash, desired, restarts, run }: ScheduleEntry, wallMs: number): UnitStatus {
  const isUp = desired === "launched";
  return {
    unit,
    hash,
    load: "loaded",
    active: isUp ? "active" : "inactive",
    sub: isUp ? "running" : "dead",
    invocation: "",
    health: isUp ? "healthy" : "stopped",
    since: wallMs,
    restarts,
    reason: "",
    addresses: [],
    steps: isUp ? { started: wallMs, active: wallMs } : {},
    ...(run === undefined ? {} : { run }),
  };
}
