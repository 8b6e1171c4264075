// The scheduler against machines that obey late, die and come back. What it must never do is checked after
// every write, and what it must do in the end when the storm is over. The constraints are judged here anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import type { Plan } from "../../src/scheduler/plan.ts";
import { idOf, leaseMs, Sketch } from "./sketch.ts";

interface Wish {
  readonly pin: number | undefined;
  readonly zone: string | undefined;
  readonly foe: number | undefined;
  readonly port: number | undefined;
  /** May exist twice for a moment. */
  readonly surges: boolean;
  /** Of memory, in MiB; machines have `machineMemory`. */
  readonly memory: number | undefined;
  readonly priority: number | undefined;
  readonly preempts: boolean;
}

const machineMemory = 1024;

const machineNames = ["m1", "m2", "m3", "m4", "m5"];
const zones: Readonly<Record<string, string>> = { m1: "a", m2: "a", m3: "b", m4: "b", m5: "c" };
const unitName = (n: number): string => `u${n}.container`;

const wish = fc.record({
  pin: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined, freq: 5 }),
  zone: fc.option(fc.constantFrom("a", "b", "c", "d"), { nil: undefined }),
  foe: fc.option(fc.integer({ min: 0, max: 7 }), { nil: undefined }),
  port: fc.option(fc.integer({ min: 8000, max: 8002 }), { nil: undefined }),
  surges: fc.boolean(),
  memory: fc.option(fc.constantFrom(200, 400, 600, 900, 2000), { nil: undefined }),
  priority: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  preempts: fc.boolean(),
});

const machine = fc.constantFrom(...machineNames);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.integer({ min: 0, max: 3000 }),
      cut: fc.nat(6),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("obey" as const), machine }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("act" as const), machine }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("report" as const), machine }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("submit" as const), unit: fc.nat(7), wish }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stop" as const), unit: fc.nat(7) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("lose" as const), machine }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("return" as const), machine }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("blink" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cordon" as const), machine }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("drain" as const), machine, deadline: fc.option(fc.nat(20_000)) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const), machine }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("move" as const), unit: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("sicken" as const), machine, unit: fc.nat(7) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Machines as they really are: what runs on each, whether or not anyone has been told. */
class World {
  readonly cluster = new Sketch();
  readonly wishes = new Map<string, Wish>();
  readonly running = new Map<string, Set<string>>();
  /** Machines that did something and have not reported it, and since when. */
  readonly silentSince = new Map<string, number>();
  /** `machine/unit`: it runs there by an order that takes it over from another. */
  readonly takingOver = new Set<string>();
  /** `machine/unit`: it fails there. */
  readonly sick = new Set<string>();

  /** By the last pass. */
  unplaced: Plan["unplaced"] = new Map();

  /** @param mostPlaced newcomers that one pass places; the leader passes again at once while some wait */
  constructor(mostPlaced: number) {
    this.cluster.mostPlaced = mostPlaced;
    for (const name of machineNames) this.#join(name);
  }

  #join(name: string): void {
    this.cluster.machine(name, { zone: zones[name] ?? "" });
    this.running.set(name, new Set());
  }

  take(step: Step): void {
    const { cluster } = this;
    switch (step.do) {
      case "pass":
        return this.pass(step.ms, step.cut);
      case "obey":
        return this.obey(step.machine);
      case "act":
        return this.act(step.machine);
      case "report":
        return this.report(step.machine);
      case "submit":
        return this.submit(unitName(step.unit), step.wish);
      case "stop":
        if (cluster.units.has(unitName(step.unit))) cluster.desire(unitName(step.unit), "inactive");
        return;
      case "lose":
        if (!cluster.machines.has(idOf(step.machine))) return;
        // The fence has stopped everything before the lease is gone.
        this.running.get(step.machine)?.clear();
        this.silentSince.delete(step.machine);
        cluster.lose(step.machine);
        return;
      case "return":
        if (!cluster.machines.has(idOf(step.machine))) this.#join(step.machine);
        return;
      case "blink":
        cluster.continuousSinceMs = cluster.nowMs;
        return;
      case "cordon":
        cluster.close(step.machine);
        return;
      case "drain":
        cluster.drain(step.machine, step.deadline === null ? undefined : cluster.wallMs() + step.deadline);
        return;
      case "reopen":
        cluster.reopen(step.machine);
        return;
      case "move":
        return this.move(unitName(step.unit));
      case "sicken":
        this.sick.add(`${step.machine}/${unitName(step.unit)}`);
        return;
    }
  }

  /** The move's record goes when the unit is elsewhere: see settleMoves. */
  move(instance: string): void {
    const [from] = this.cluster.where(instance);
    if (from === undefined) return;
    this.cluster.moves.set(instance, { instance, from: idOf(from), because: "test", at: 0 });
  }

  settleMoves(): void {
    for (const { instance, from } of this.cluster.moves.values()) {
      const isThere = this.cluster.schedule.get(from)?.has(instance);
      if (isThere !== true) this.cluster.moves.delete(instance);
    }
  }

  /** Those that take new units. */
  #open(names: readonly string[]): string[] {
    return names.filter((name) => !this.cluster.machineSettings.has(idOf(name)));
  }

  submit(name: string, wish: Wish): void {
    // MachineID and Conflicts exclude each other.
    const foe = wish.pin === undefined ? wish.foe : undefined;
    const lines = [
      wish.pin === undefined ? "" : `MachineID=m${wish.pin}`,
      wish.zone === undefined ? "" : `MachineMetadata=zone=${wish.zone}`,
      foe === undefined || unitName(foe) === name ? "" : `Conflicts=${unitName(foe)}`,
    ];
    const port = wish.port === undefined ? "" : `PublishPort=${wish.port}:80\n`;
    const own = [
      wish.surges ? "MaxSurge=1" : "",
      wish.memory === undefined ? "" : `MemoryRequest=${wish.memory}M`,
      wish.priority === undefined ? "" : `Priority=${wish.priority}`,
      wish.preempts ? "Preempt=yes" : "",
    ];
    const sections = `[X-Fleet]\n${lines.join("\n")}\n[X-Keelson]\n${own.join("\n")}\n`;
    this.cluster.unit(name, `[Container]\nImage=x\n${port}${sections}`);
    this.wishes.set(name, { ...wish, foe });
  }

  /** Only the first `cut` writes happen when the leader dies in the middle; 0 lets all happen. */
  pass(ms: number, cut = 0): void {
    const { cluster } = this;
    for (const [name, since] of this.silentSince) if (cluster.nowMs + ms - since > leaseMs) this.report(name);
    const before = this.placements();
    const plan = cluster.pass(ms);
    this.unplaced = plan.unplaced;
    const writes = plan.groups.flatMap((group) => {
      for (const id of group.absent)
        assert.ok(!cluster.machines.has(id), "moves only from machines that are gone");
      return group.writes;
    });
    for (const write of cut === 0 ? writes : writes.slice(0, cut)) {
      cluster.write(write);
      if ("entry" in write && write.entry.takesOver === undefined) {
        this.takingOver.delete(`${cluster.members.get(write.machine)?.name}/${write.entry.unit}`);
      }
      this.neverOrderedTwice();
    }
    if (cut === 0) {
      this.constraintsHold();
      this.roomHolds(before);
      this.nobodyGaveWayInVain(before);
      this.nothingMovedWithoutCause(before);
      if (plan.isCut) this.#goesOn(plan, before);
    }
  }

  /** Whoever waits for its turn has somebody that was served: it comes to an end. */
  #goesOn({ unplaced }: Plan, before: ReadonlyMap<string, string[]>): void {
    const served = [...this.placements()].filter(([unit, on]) => on.join() !== before.get(unit)?.join());
    assert.ok(served.length > 0, "some wait for others, of which none got a machine");
    for (const [unit, { reason }] of unplaced) {
      if (reason !== "waits for its turn") continue;
      const mine = this.wishes.get(unit)?.priority ?? 0;
      for (const [other, on] of served) {
        const isNew = on.length > 0 && before.get(other)?.length === 0;
        const theirs = this.wishes.get(other)?.priority ?? 0;
        assert.ok(!isNew || theirs >= mine, `${other} went before ${unit}, which is more important`);
      }
    }
    this.pass(0);
  }

  obey(name: string): void {
    this.act(name);
    this.report(name);
  }

  /** The machine carries out its orders. Nobody knows of it yet. */
  act(name: string): void {
    if (!this.cluster.machines.has(idOf(name))) return;
    const orders = [...(this.cluster.schedule.get(idOf(name))?.values() ?? [])];
    this.running.set(name, new Set(orders.map(({ unit }) => unit)));
    for (const place of this.takingOver) if (place.startsWith(`${name}/`)) this.takingOver.delete(place);
    for (const { unit, takesOver } of orders)
      if (takesOver !== undefined) this.takingOver.add(`${name}/${unit}`);
    this.silentSince.set(name, this.cluster.nowMs);
    this.neverTwoCopies();
  }

  /** The machine says what runs on it. */
  report(name: string): void {
    const id = idOf(name);
    if (!this.cluster.machines.has(id)) return;
    this.silentSince.delete(name);
    const known = this.cluster.statuses.get(id);
    const statuses = new Map<string, UnitStatus>();
    for (const unit of this.running.get(name) ?? []) {
      const entry = this.cluster.schedule.get(id)?.get(unit);
      const status = entry ? this.cluster.status(entry) : known?.get(unit);
      const isSick = this.sick.has(`${name}/${unit}`);
      const said = status ?? this.cluster.status(orderOf(unit));
      statuses.set(unit, isSick ? { ...said, active: "failed", sub: "failed", health: "failed" } : said);
    }
    this.cluster.statuses.set(id, statuses);
  }

  placements(): Map<string, string[]> {
    return new Map([...this.cluster.units.keys()].map((unit) => [unit, this.cluster.where(unit)]));
  }

  neverOrderedTwice(): void {
    for (const [unit, machines] of this.placements()) {
      if (machines.length <= 1) continue;
      const orders = machines.map((name) => this.cluster.schedule.get(idOf(name))?.get(unit));
      const heirs = orders.filter((order) => order?.takesOver !== undefined);
      const [heir] = heirs;
      const isHandover = machines.length === 2 && heirs.length === 1;
      assert.ok(isHandover, `${unit} is ordered on ${machines.join(" and ")}`);
      assert.ok(
        machines.some((name) => idOf(name) === heir?.takesOver),
        `${unit} is taken over from its holder`,
      );
    }
  }

  neverTwoCopies(): void {
    for (const unit of this.cluster.units.keys()) {
      const on = [...this.running].filter(([, units]) => units.has(unit)).map(([name]) => name);
      const isHandover = on.length === 2 && on.some((name) => this.takingOver.has(`${name}/${unit}`));
      assert.ok(on.length <= 1 || isHandover, `${unit} runs on ${on.join(" and ")}`);
    }
  }

  /** Of orders that machines that report have answered or were just given. */
  constraintsHold(): void {
    const places = [...this.placements()].flatMap(([unit, on]) => on.map((name) => [unit, name] as const));
    for (const [unit, machine] of places) {
      if (!this.cluster.machines.has(idOf(machine))) continue;
      const objection = this.objection(unit, machine);
      if (objection === undefined) continue;
      const isAnswered = this.cluster.statuses.get(idOf(machine))?.has(unit) ?? false;
      assert.ok(!isAnswered, `${unit} is on ${machine}, which ${objection}`);
    }
  }

  /** Why the unit must not be on the machine, judged from the wishes alone. */
  objection(unit: string, machine: string): string | undefined {
    const wish = this.wishes.get(unit);
    if (wish === undefined || this.cluster.units.get(unit)?.desired === "inactive") return undefined;
    if (wish.pin !== undefined && `m${wish.pin}` !== machine) return "is not its machine";
    if (wish.zone !== undefined && zones[machine] !== wish.zone) return "is in another zone";
    for (const [other, theirs] of this.wishes) {
      if (other === unit || this.cluster.units.get(other)?.desired === "inactive") continue;
      if (!this.cluster.where(other).includes(machine)) continue;
      const isFoe = wish.foe !== undefined && unitName(wish.foe) === other;
      if (isFoe || (theirs.foe !== undefined && unitName(theirs.foe) === unit)) return `has its foe ${other}`;
      if (wish.port !== undefined && wish.port === theirs.port) return `has ${other} on its port`;
    }
    return undefined;
  }

  /** What the units of a machine ask for in MiB: those that have an order there, and those that are still to stop. */
  asked(machine: string, isCounted: (unit: string) => boolean = () => true): number {
    const { cluster } = this;
    const id = idOf(machine);
    const ordered = [...(cluster.schedule.get(id)?.keys() ?? [])];
    const leaving = [...(cluster.statuses.get(id)?.values() ?? [])].filter(
      ({ unit }) => !ordered.includes(unit),
    );
    const byFile = (hash = ""): number =>
      Number(/MemoryRequest=(\d+)M/.exec(cluster.bodies.get(hash) ?? "")?.[1] ?? 0);
    // One whose file was replaced and that is still as it was counts as what is less: nobody is moved for that.
    const now = (unit: string): number =>
      Math.min(byFile(cluster.schedule.get(id)?.get(unit)?.hash), byFile(cluster.units.get(unit)?.hash));
    const memories = [
      ...ordered.filter(isCounted).map(now),
      ...leaving.filter(({ unit }) => isCounted(unit)).map(({ hash }) => byFile(hash)),
    ];
    return memories.reduce((sum, memory) => sum + memory, 0);
  }

  /** Whoever got a machine and asks for memory has room there beside all that is or was there. */
  roomHolds(before: ReadonlyMap<string, string[]>): void {
    for (const [unit, on] of this.placements()) {
      for (const machine of on) {
        if (before.get(unit)?.includes(machine) || !this.cluster.machines.has(idOf(machine))) continue;
        if ((this.wishes.get(unit)?.memory ?? 0) === 0) continue;
        const asked = this.asked(machine);
        assert.ok(asked <= machineMemory, `${unit} went to ${machine}, which ${asked} MiB are asked of`);
      }
    }
  }

  /** Whoever lost its order for room lost it to one that is more important, and not without need. */
  nobodyGaveWayInVain(before: ReadonlyMap<string, string[]>): void {
    const lost = [...before].flatMap(([unit, on]) =>
      on.filter((name) => !this.cluster.where(unit).includes(name)).map((machine) => ({ unit, machine })),
    );
    const reasons = new Map([...this.unplaced].map(([unit, { reason }]) => [unit, reason]));
    for (const { unit, machine } of lost) {
      const winner = /where it gave way to (\S+), whose priority is/.exec(reasons.get(unit) ?? "")?.[1];
      if (winner === undefined) continue;
      const [mine, theirs] = [unit, winner].map((name) => this.wishes.get(name));
      assert.ok(
        theirs?.preempts && (theirs.priority ?? 0) > (mine?.priority ?? 0),
        `${unit} gave way to ${winner}`,
      );
      const others = this.asked(
        machine,
        (name) => !lost.some((one) => one.machine === machine && one.unit === name),
      );
      const gain = mine?.memory ?? 0;
      assert.ok(gain > 0, `${unit} gave way and makes no room`);
      const victims = lost.filter(
        (one) => one.machine === machine && reasons.get(one.unit)?.includes("gave way"),
      );
      const winners = new Set(
        victims.map((one) => / to (\S+), whose/.exec(reasons.get(one.unit) ?? "")?.[1]),
      );
      if (winners.size > 1) continue;
      assert.ok(
        machineMemory - others - gain < (theirs.memory ?? 0),
        `${unit} gave way to ${winner} on ${machine} without need`,
      );
    }
  }

  /** More than 40 % of the five machines, vanished within a minute before this leader's eyes. */
  isMassFailure(): boolean {
    const { goneSince, continuousSinceMs = Infinity } = this.cluster;
    const since = [...goneSince.values()].filter((ms) => ms > continuousSinceMs);
    return since.some((from) => since.filter((ms) => ms >= from && ms <= from + 60_000).length >= 3);
  }

  nothingMovedWithoutCause(before: ReadonlyMap<string, string[]>): void {
    for (const [unit, [machine, heir]] of before) {
      const [now, other] = this.cluster.where(unit);
      if (heir !== undefined || other !== undefined) continue;
      if (machine === undefined || now === machine) continue;
      const isWanted = this.cluster.units.get(unit)?.desired !== "inactive";
      const isUp = this.cluster.machines.has(idOf(machine));
      if (!isWanted) continue;
      if (isUp) {
        assert.equal(now, undefined, `${unit} left ${machine}, which reports, for ${now} at once`);
        continue;
      }
      assert.ok(!this.isMassFailure(), `${unit} moved although too many machines are gone`);
      const { nowMs, continuousSinceMs = Infinity } = this.cluster;
      assert.ok(nowMs - continuousSinceMs >= leaseMs, `${unit} moved while the leader had to hold back`);
    }
  }

  /** Machines that would take the unit, room included. */
  #takers(unit: string): string[] {
    const memory = this.wishes.get(unit)?.memory ?? 0;
    return this.#open(machineNames).filter(
      (name) =>
        this.objection(unit, name) === undefined &&
        (memory === 0 || this.asked(name) + memory <= machineMemory),
    );
  }

  /** Machines on which it would have room if all gave way that are less important. */
  #clearable(unit: string): string[] {
    const { memory = 0, priority = 0, preempts = false } = this.wishes.get(unit) ?? {};
    if (!preempts || memory === 0) return [];
    const isAbove = (name: string): boolean => (this.wishes.get(name)?.priority ?? 0) >= priority;
    return this.#open(machineNames).filter(
      (name) =>
        this.objection(unit, name) === undefined && this.asked(name, isAbove) + memory <= machineMemory,
    );
  }

  /** After the storm: everything that some machine would take has a machine. */
  everythingPlaceableIsPlaced(): void {
    const { cluster } = this;
    for (const name of machineNames) if (!cluster.machines.has(idOf(name))) this.#join(name);
    this.sick.clear();
    // What failed somewhere is not held against the machine for ever.
    this.pass(24 * 3_600_000);
    for (let round = 0; round < 12; round++) {
      for (const name of machineNames) this.obey(name);
      this.settleMoves();
      this.pass(3 * leaseMs);
    }
    for (const name of machineNames) this.obey(name);
    for (const [unit, on] of this.placements()) {
      if (cluster.units.get(unit)?.desired === "inactive") {
        assert.deepEqual(on, [], `${unit} is not wanted and still on ${on.join()}`);
      } else if (on.length === 0) {
        const fitting = this.#takers(unit);
        assert.deepEqual(fitting, [], `${unit} is nowhere, and ${fitting.join(", ")} would take it`);
        const clearable = this.#clearable(unit);
        assert.deepEqual(clearable, [], `others on ${clearable.join(", ")} should give way to ${unit}`);
        assert.ok(cluster.pass().unplaced.has(unit), `${unit} is nowhere without a reason`);
      } else {
        assert.ok(this.running.get(on[0] ?? "")?.has(unit), `${unit} has an order and does not run`);
        assert.equal(on.length, 1, `${unit} is still being handed over`);
        if (cluster.machineSettings.get(idOf(on[0] ?? ""))?.drain === undefined) continue;
        const fitting = this.#takers(unit);
        assert.deepEqual(fitting, [], `${unit} is on ${on[0]}, which is drained, and fits elsewhere`);
        assert.ok(cluster.pass().stays.has(unit), `${unit} stays on ${on[0]} without a reason`);
      }
    }
    assert.deepEqual(cluster.pass(1).groups, [], "a cluster at rest has nothing to write");
  }
}

/** An order as the machine remembers it when it is no longer in the store. */
const orderOf = (unit: string): ScheduleEntry => ({
  unit,
  hash: "0".repeat(64),
  desired: "launched",
  restarts: 0,
  onPartition: "stop",
  companion: false,
  fence: 1,
  placed: 0,
  because: "",
});

const mostPlaced = fc.constantFrom(Infinity, 1, 2, 3);

test("never two copies, constraints hold, nothing moves without cause, everything placeable gets placed", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), mostPlaced, (steps, most) => {
      const world = new World(most);
      for (const step of steps) world.take(step);
      world.everythingPlaceableIsPlaced();
    }),
    { numRuns: Number(process.env["KEELSON_RUNS"] ?? 1000) },
  );
});
