// A cluster in memory: the real leader, scheduler, safeguards, registry and agents on simulated machines and a
// simulated store, on one clock. What happens is written down; what must never happen throws.
import { foretellers } from "../../packages/keelson/src/api/foretellers.ts";
import { describeError, KeelError } from "../../packages/keelson/src/base/errors.ts";
import { type Log, silentLog } from "../../packages/keelson/src/base/log.ts";
import { type Random, seededRandom, timeOrderedId } from "../../packages/keelson/src/base/random.ts";
import { SimulatedClock } from "../../packages/keelson/src/base/simulated-clock.ts";
import {
  type Behaviour,
  SimulatedHost,
  type UnitEvent,
} from "../../packages/keelson/src/host/simulated-host.ts";
import type { ClusterSnapshot } from "../../packages/keelson/src/model/cluster.ts";
import type { Confirmation, Intent, Operation } from "../../packages/keelson/src/model/operation.ts";
import { PlacementCache } from "../../packages/keelson/src/model/placement/cache.ts";
import { isSupporting, templateName } from "../../packages/keelson/src/model/unit-name.ts";
import { applyOperation } from "../../packages/keelson/src/registry/apply-operation.ts";
import { ClusterView } from "../../packages/keelson/src/registry/cluster-view.ts";
import { purgeHistory } from "../../packages/keelson/src/registry/garbage.ts";
import { removeMember } from "../../packages/keelson/src/registry/registration.ts";
import { SimulatedStore } from "../../packages/keelson/src/registry/simulated-store.ts";
import { guard } from "../../packages/keelson/src/safeguards/guard.ts";
import type { OperationPlan } from "../../packages/keelson/src/safeguards/operation-plan.ts";
import { plan } from "../../packages/keelson/src/safeguards/plan.ts";
import { planRebalance, type RebalancePlan } from "../../packages/keelson/src/scheduler/moving/rebalance.ts";
import type { SchedulerFacts } from "../../packages/keelson/src/scheduler/plan.ts";
import {
  type Supposition,
  type WhatIf,
  whatIf,
} from "../../packages/keelson/src/scheduler/foretelling/what-if.ts";
import { type InstanceReasons, why } from "../../packages/keelson/src/scheduler/reasons/why.ts";
import { type InvariantName, Witness } from "./invariants.ts";
import { PausableClock } from "./pausable-clock.ts";
import { leaseSeconds, randomOf, SimulatedMachine } from "./simulated-machine.ts";

export const clusterName = "demo";
const tickMs = 50;
/** A machine that thaws has so long to find out what it missed. */
const thawGraceMs = 1500;
/** A restart for what a check has found may be under way for so long after the unit is well. */
const restartMs = 3000;

/** What ordinary services take. A unit that runs to its end takes what it sleeps, and fails as often as it says. */
function behaviourOf(body: string, times: number): Behaviour {
  const ends = body.includes("Type=oneshot");
  const seconds = /sleep (\d+)/.exec(body)?.[1];
  const failures = /fails (\d+) times/.exec(body)?.[1];
  return {
    startMs: ends && seconds !== undefined ? Number(seconds) * 1000 : 300,
    stopMs: 200,
    fails: body.includes("/bin/false") || times <= Number(failures ?? 0),
    ends,
  };
}

export interface Event {
  readonly atMs: number;
  readonly text: string;
}

export class SimulatedCluster implements AsyncDisposable {
  readonly clock = new SimulatedClock();
  readonly store = new SimulatedStore(this.clock);
  readonly machines = new Map<string, SimulatedMachine>();
  readonly events: Event[] = [];
  readonly #seed: number;
  readonly #log: Log;
  readonly #door = this.store.door();
  readonly #bodies = new Map<string, string>();
  readonly #placements = new PlacementCache((hash) => this.#bodies.get(hash));
  readonly #view: ClusterView;
  readonly #ids = seededRandom(1);
  readonly #thawedAt = new Map<string, number>();
  readonly #ailments = new Map<string, string>();
  readonly #wellSince = new Map<string, number>();
  readonly #violations: string[] = [];
  readonly #witness: Witness;
  readonly #turbulence: Random | undefined;
  readonly #starts = new Map<string, number>();
  /** `machine/unit`, see #isHandover. */
  readonly #takingOver = new Set<string>();
  readonly #lastHash = new Map<string, string>();
  #leader = "";
  #alarms = "";

  /** @param options.turbulent events are told twice and out of turn now and then, as a real network does */
  constructor(
    seed: number,
    { log = silentLog, turbulent = false }: { readonly log?: Log; readonly turbulent?: boolean } = {},
  ) {
    this.#seed = seed;
    this.#log = log;
    this.#turbulence = turbulent ? seededRandom(seed + 1) : undefined;
    this.#witness = new Witness({
      machines: this.machines,
      now: () => this.clock.now(),
      mayRunTwice: (unit) => this.#mayRunTwice(unit),
      isAilingNow: (unit) => {
        const wellSince = this.#wellSince.get(unit) ?? -Infinity;
        return this.#ailments.has(unit) || this.clock.now() - wellSince < restartMs;
      },
      violated: (invariant, text) => this.violated(invariant, text),
    });
    this.store.observe((events) => this.#witness.committed(events));
    const random = seededRandom(seed);
    this.#view = ClusterView.open(this.#door, { scope: "all", log, clock: this.clock, random });
  }

  get snapshot(): ClusterSnapshot {
    return this.#view.snapshot;
  }

  /** The machine that leads, or led last. */
  get leader(): string {
    return this.#leader;
  }

  /** When an order or a unit changed last. */
  get lastNewsMs(): number {
    return this.#witness.lastNews;
  }

  /** Says that something is not as it must be. The next step of time throws it. */
  violated(invariant: InvariantName, text: string): void {
    // Not thrown here: this is called from within a part of the cluster, which would take it for its own trouble.
    const seconds = (this.clock.now() / 1000).toFixed(2);
    this.#violations.push(`${invariant}: ${text} at ${seconds} s`);
  }

  /** Throws what was violated so far. */
  insist(): void {
    if (this.#violations.length > 0) throw new Error(this.#violations.join("; "));
  }

  machine(name: string): SimulatedMachine {
    const machine = this.machines.get(name);
    if (machine === undefined) throw new Error(`there is no machine ${name}`);
    return machine;
  }

  async add(name: string, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    const clock = new PausableClock(this.clock);
    const id = `${this.machines.size + 1}`.padStart(32, "0");
    const onUnit = (unit: string, what: UnitEvent): void => {
      this.#witness.unit(this.machine(name), unit, what);
      if (what === "begins") {
        this.#starts.set(unit, (this.#starts.get(unit) ?? 0) + 1);
        this.#neverTwoCopies(unit);
      } else this.#note(`${name} ${what} ${unit}`);
    };
    const behaviour = (unit: string, body: string): Behaviour => {
      const ails = this.#ailments.get(unit);
      const usual = behaviourOf(body, (this.#starts.get(unit) ?? 0) + 1);
      return ails === undefined ? usual : { ...usual, ails };
    };
    const turbulence = this.#turbulence;
    const notices = (): readonly number[] => {
      if (turbulence === undefined || turbulence.next() > 0.2) return [5];
      return [5 + Math.round(40 * turbulence.next()), 60];
    };
    const host = new SimulatedHost({ machineId: id, hostname: name, clock, behaviour, onUnit, notices });
    const machine = new SimulatedMachine(name, {
      store: this.store,
      clock,
      host,
      random: randomOf(this.#seed, name),
      turbulence,
      log: this.#log.with({ machine: name }),
      metadata,
      isLost: (member) => this.machines.get(member.name)?.contact() === false,
    });
    this.machines.set(name, machine);
    await machine.start();
  }

  thaw(name: string): void {
    this.#thawedAt.set(name, this.clock.now());
    this.machine(name).thaw();
  }

  /** What a change would do. */
  plan(intent: Intent): OperationPlan {
    return plan(intent, this.snapshot, {
      bodies: (hash) => this.#bodies.get(hash),
      placements: this.#placements,
      context: {
        who: "test",
        via: "test",
        nowMs: this.clock.wall(),
        newId: () => timeOrderedId(this.clock.wall(), this.#ids),
        rebalance: (most) => this.#rebalance(most),
      },
    });
  }

  /** What its checks find from now on; `undefined`: it is well. */
  ail(unit: string, finding: string | undefined): void {
    if (finding === undefined && this.#ailments.delete(unit)) this.#wellSince.set(unit, this.clock.now());
    if (finding === undefined) return;
    this.#ailments.set(unit, finding);
  }

  /** Asks for a change as the API does. The operation; throws the guard's refusal. */
  async ask(intent: Intent, confirm: Confirmation = {}): Promise<Operation> {
    await this.clock.advance(0);
    const planned = this.plan(intent);
    const refused = guard(planned, confirm, clusterName);
    if (refused !== undefined) throw refused;
    for (const [hash, body] of planned.bodies) this.#bodies.set(hash, body);
    const revision = await this.#answer(applyOperation(this.#door, planned.operation, planned.bodies));
    if (planned.removesMember !== undefined) {
      await this.#answer(removeMember(this.#door, planned.removesMember));
    }
    if (intent.kind === "purge") {
      await this.#answer(purgeHistory(this.#door, this.snapshot, planned.operation.id));
    }
    await this.#answer(this.#view.waitFor(revision));
    return planned.operation;
  }

  /** What the API would foretell. */
  foretell(supposition: Supposition): WhatIf {
    const options = { placements: this.#placements, facts: this.#facts(), deciders: foretellers };
    const work = whatIf(this.snapshot, supposition, options);
    for (;;) {
      const { done, value } = work.next();
      if (done === true) return value;
    }
  }

  why(unit: string): InstanceReasons[] {
    return why(this.snapshot, unit, { placements: this.#placements, facts: this.#facts() });
  }

  #rebalance(most: number): RebalancePlan {
    this.#rememberFiles();
    return planRebalance(this.snapshot, { placements: this.#placements, facts: this.#facts() }, { most });
  }

  #facts(): SchedulerFacts {
    return {
      nowMs: this.clock.now(),
      wallMs: this.clock.wall(),
      continuousSinceMs: this.#view.continuousSinceMs,
      goneSince: this.#view.goneSince,
      leaseMs: leaseSeconds * 1000,
      fence: 0,
    };
  }

  /** Lets time pass. */
  async run(ms: number): Promise<void> {
    await this.clock.advance(0);
    for (let left = ms; left > 0; left -= tickMs) {
      await this.clock.advance(Math.min(tickMs, left));
      this.store.expire();
      for (const unit of this.#runningAnywhere()) this.#neverTwoCopies(unit);
      this.#witness.tick();
      this.#noteNews();
      this.insist();
    }
  }

  /** The machines on which something of the unit runs now. */
  where(unit: string): string[] {
    const on = [...this.machines.values()].filter(({ host }) => host.running.includes(unit));
    return on.map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.store.isRunning) this.store.start();
    const closing = Promise.all([...this.machines.values()].map((it) => it[Symbol.asyncDispose]()));
    const view = this.#view[Symbol.asyncDispose]();
    await this.clock.advance(20_000);
    await closing;
    await view;
  }

  /** Answers that need the clock to move meanwhile. */
  async #answer<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    for (let waited = 0; !isSettled && waited < 10_000; waited += tickMs) await this.run(tickMs);
    if (!isSettled) throw new KeelError("KEEL-602", "no answer within 10 s");
    return promise;
  }

  #runningAnywhere(): Set<string> {
    return new Set([...this.machines.values()].flatMap(({ host }) => host.running));
  }

  /** Of a unit that may run once only. A frozen machine runs nothing, and learns of the world when it thaws. */
  #neverTwoCopies(unit: string): void {
    const on = this.where(unit).filter((name) => {
      const isLearning = this.clock.now() - (this.#thawedAt.get(name) ?? -Infinity) < thawGraceMs;
      return this.machine(name).state === "up" && !isLearning;
    });
    if (on.length <= 1 || this.#mayRunTwice(unit) || this.#isHandover(unit, on)) return;
    this.violated("at-most-one-copy", `${unit} runs on ${on.join(" and ")}`);
  }

  /** One of the two was told to take it over, and has not stopped it since. */
  #isHandover(unit: string, on: readonly string[]): boolean {
    for (const { name, host } of this.machines.values()) {
      const order = this.snapshot.schedule.get(host.machineId)?.get(unit);
      const key = `${name}/${unit}`;
      if (order?.takesOver !== undefined) this.#takingOver.add(key);
      else if (order !== undefined || !host.running.includes(unit)) this.#takingOver.delete(key);
    }
    return on.length === 2 && on.some((name) => this.#takingOver.has(`${name}/${unit}`));
  }

  /** By its file, or by the last one that it had. */
  #mayRunTwice(unit: string): boolean {
    if (isSupporting(unit)) return true;
    this.#rememberFiles();
    const hash = this.#lastHash.get(unit) ?? this.#lastHash.get(templateName(unit) ?? "") ?? "";
    const rules = this.#placements.rulesOf(hash, unit);
    return typeof rules === "object" && "global" in rules && (rules.global || rules.onPartition === "keep");
  }

  #rememberFiles(): void {
    for (const { name, hash } of this.snapshot.units.values()) this.#lastHash.set(name, hash);
  }

  #noteNews(): void {
    this.#rememberFiles();
    const leader = [...this.machines.values()].find(({ isLeading }) => isLeading)?.name ?? "";
    if (leader !== this.#leader && leader !== "") this.#note(`${leader} leads`);
    if (leader !== "") this.#leader = leader;
    const alarms = [...this.snapshot.alarms].map(([name, text]) => `${name}: ${text}`).join("; ");
    if (alarms !== this.#alarms) this.#note(alarms === "" ? "the alarm is over" : `alarm ${alarms}`);
    this.#alarms = alarms;
  }

  #note(text: string): void {
    this.events.push({ atMs: this.clock.now(), text });
  }
}

export const refusalOf = (error: unknown): string => {
  if (!(error instanceof KeelError)) throw error;
  const needs = error.details?.["needs"];
  return `refused: ${error.code} ${describeError(error)}${typeof needs === "string" ? ` [${needs}]` : ""}`;
};
