// What must hold of the cluster, by name. The model looks on from outside: it sees each transaction of the store as
// it is made, each unit that begins or ends on a machine, and what was done to the machines.
// docs/operations/partitions.md says in words what each of them means for people.
import type { UnitEvent } from "../../packages/keelson/src/host/simulated-host.ts";
import { jobCodec } from "../../packages/keelson/src/model/job.ts";
import { machineAndUnit, nameIn, prefixes } from "../../packages/keelson/src/model/keys.ts";
import { scheduleCodec, type ScheduleEntry } from "../../packages/keelson/src/model/schedule.ts";
import type { StoreEvent } from "../../packages/keelson/src/registry/store-client.ts";
import { leaseSeconds, type SimulatedMachine } from "./simulated-machine.ts";

/** At every step. */
export const invariants = {
  "at-most-one-copy":
    "a singleton runs on one machine at most, on two only while one takes it over from the other",
  "one-order":
    "a singleton is ordered on one machine at most, on two only while one takes it over from the other",
  "orders-from-the-elected-leader": "whoever writes an order holds the oldest election key at that moment",
  "no-stop-without-cause":
    "what runs stops only when its order changed, its checks fail, or its machine was out of contact for a lease",
  "keep-units-keep-running": "a unit with OnPartition=keep stops only when its order changed",
  "no-move-for-a-blink": "a unit leaves a machine as lost only when that machine had trouble of its own",
  "no-move-while-the-lease-lives":
    "a unit leaves a machine as lost only when its record is gone from the store",
  "mass-failure-is-doubted":
    "nothing moves from machines that vanished within a minute when they are more than 40 %",
  "a-run-that-succeeded-is-over": "a run of a job that the store knows to have succeeded never begins again",
} as const;

/** When it has been calm for a while. */
export const calmInvariants = {
  "one-leader": "one machine leads, and no alarm stands",
  "all-that-fits-runs":
    "each instance that is wanted runs, in its present version, or no machine fits, or what it depends on does not run",
  "nothing-unwanted-runs": "what nobody wants runs nowhere",
  "statuses-are-true": "the store says of each unit what is so on its machine, and of no other",
  "calm-is-still": "no order and no unit changes when nothing else does",
  "nothing-is-left": "when everything was destroyed, nothing of it is left in the store or on a machine",
} as const;

export type InvariantName = keyof typeof invariants | keyof typeof calmInvariants;

/** A fault ends so long before it can no longer be the cause of what is seen. */
const afterEffectMs = 12_000;
/** When the fence of a machine may act, after its last renewal was sent. */
const fenceMs = leaseSeconds * 1000 - 1500;
const doubtedShare = 0.4;
/** A little less than the minute that the leader takes, for it hears of the machines a little later or earlier. */
const surelyTogetherMs = 50_000;
/** What vanished so short a time ago may not have been heard of by the leader when it decided; on a slow way longer. */
const hearsayMs = 600;
/** So long an agent may take over one step of an order. */
const halfDoneMs = 2000;

export interface Witnessed {
  readonly machines: ReadonlyMap<string, SimulatedMachine>;
  readonly now: () => number;
  /** Whether the unit's file says that several machines may run it. */
  readonly mayRunTwice: (unit: string) => boolean;
  /** Whether its checks find something now. */
  readonly isAilingNow: (unit: string) => boolean;
  readonly violated: (invariant: InvariantName, text: string) => void;
}

/** Sees everything, and says what must not be. */
export class Witness {
  readonly #sees: Witnessed;
  readonly #candidates = new Map<string, number>();
  readonly #orders = new Map<string, Map<string, ScheduleEntry>>();
  readonly #orderChanged = new Map<string, number>();
  readonly #began = new Map<string, number>();
  readonly #present = new Set<string>();
  readonly #members = new Set<string>();
  readonly #vanished = new Map<string, number>();
  readonly #troubled = new Map<string, number>();
  readonly #outOfContact = new Map<string, number>();
  /** When each machine was without a daemon last. */
  readonly #daemonless = new Map<string, number>();
  readonly #succeeded = new Set<string>();
  /** When an order was written or taken back last, or a unit began or ended. */
  lastNews = 0;

  constructor(sees: Witnessed) {
    this.#sees = sees;
  }

  committed(events: readonly StoreEvent[]): void {
    const puts: { readonly machine: string; readonly entry: ScheduleEntry; readonly isNew: boolean }[] = [];
    for (const event of events) {
      this.#noteMachines(event);
      this.#noteJobs(event);
      const place = machineAndUnit(prefixes.schedule, event.key);
      if (place === undefined) continue;
      const { machine, unit } = place;
      const orders = this.#orders.get(machine) ?? new Map<string, ScheduleEntry>();
      this.#orders.set(machine, orders);
      this.lastNews = this.#sees.now();
      this.#orderChanged.set(`${machine}/${unit}`, this.lastNews);
      if (event.type === "put") {
        const entry = scheduleCodec.decode(event.key, event.value);
        puts.push({ machine, entry, isNew: !orders.has(unit) });
        orders.set(unit, entry);
      } else {
        const taken = orders.get(unit);
        orders.delete(unit);
        const to = events.find(({ type, key }) => type === "put" && key.endsWith(`/${unit}`));
        if (taken !== undefined && to !== undefined) this.#moved(machine, unit);
      }
    }
    for (const put of puts) this.#ordered(put);
  }

  /** A unit began or ended on a machine. */
  unit(machine: SimulatedMachine, unit: string, what: UnitEvent): void {
    const now = this.#sees.now();
    const order = this.#orders.get(machine.host.machineId)?.get(unit);
    const place = `${machine.host.machineId}/${unit}`;
    this.lastNews = now;
    if (what === "begins") {
      this.#began.set(place, now);
      const run = order?.run?.replace(/\.\d+$/, "");
      if (run === undefined || !this.#succeeded.has(run)) return;
      return this.#sees.violated("a-run-that-succeeded-is-over", `${unit} begins again on ${machine.name}`);
    }
    // What fails or runs to its end does so by itself.
    if (what !== "stopped" || order?.run !== undefined) return;
    if (order === undefined || order.desired !== "launched") return;
    const changed = this.#orderChanged.get(place) ?? -Infinity;
    const began = this.#began.get(place) ?? -Infinity;
    // A machine that was cut off may hear of it late, and a daemon that died over it begins once more.
    if (now - changed < afterEffectMs || changed >= began) return;
    if ((this.#daemonless.get(machine.name) ?? -Infinity) >= began && began - changed < halfDoneMs) return;
    if (this.#sees.isAilingNow(unit)) return;
    if (order.onPartition === "keep") {
      return this.#sees.violated("keep-units-keep-running", `${unit} stops on ${machine.name}`);
    }
    if (now - (this.#outOfContact.get(machine.name) ?? -Infinity) < afterEffectMs) return;
    this.#sees.violated("no-stop-without-cause", `${unit} stops on ${machine.name}`);
  }

  /** As often as the model looks. */
  tick(): void {
    const now = this.#sees.now();
    for (const machine of this.#sees.machines.values()) {
      const isWell = machine.state === "up" && machine.hasDaemon && !machine.isCut && machine.slowMs === 0;
      if (!isWell) this.#troubled.set(machine.name, now);
      if (!machine.hasDaemon) this.#daemonless.set(machine.name, now);
      const renewed = machine.renewedAt;
      if (renewed === undefined || now - renewed >= fenceMs - 100) this.#outOfContact.set(machine.name, now);
    }
  }

  #noteMachines({ type, key, createRevision }: StoreEvent): void {
    if (nameIn(prefixes.leader, key) !== undefined) {
      if (type === "put") this.#candidates.set(key, createRevision);
      else this.#candidates.delete(key);
    }
    const member = nameIn(prefixes.members, key);
    if (member !== undefined && type === "put") this.#members.add(member);
    else if (member !== undefined) this.#members.delete(member);
    const machine = nameIn(prefixes.machines, key);
    if (machine === undefined) return;
    if (type === "put") {
      this.#present.add(machine);
      this.#vanished.delete(machine);
    } else {
      this.#present.delete(machine);
      this.#vanished.set(machine, this.#sees.now());
    }
  }

  #noteJobs({ type, key, value }: StoreEvent): void {
    if (type !== "put" || nameIn(prefixes.jobs, key) === undefined) return;
    for (const { id, state } of jobCodec.decode(key, value).runs)
      if (state === "succeeded") this.#succeeded.add(id);
  }

  #ordered({ machine, entry, isNew }: { machine: string; entry: ScheduleEntry; isNew: boolean }): void {
    const elected = Math.min(...this.#candidates.values());
    if (entry.fence !== elected) {
      const text = `${entry.unit} is ordered under ${entry.fence} while ${elected} is elected`;
      this.#sees.violated("orders-from-the-elected-leader", text);
    }
    if (!isNew || entry.companion || this.#sees.mayRunTwice(entry.unit)) return;
    const others = [...this.#orders].filter(([id, orders]) => {
      const other = orders.get(entry.unit);
      return id !== machine && other !== undefined && !other.companion;
    });
    const isHandover = others.length === 1 && entry.takesOver === others[0]?.[0];
    if (others.length > 0 && !isHandover) {
      const names = others.map(([id]) => this.#nameOf(id)).join(", ");
      this.#sees.violated("one-order", `${entry.unit} is ordered on ${this.#nameOf(machine)} and ${names}`);
    }
  }

  /** In one transaction an order went from this machine to another: the machine is given up for lost. */
  #moved(machine: string, unit: string): void {
    const now = this.#sees.now();
    const name = this.#nameOf(machine);
    if (this.#present.has(machine)) {
      this.#sees.violated("no-move-while-the-lease-lives", `${unit} leaves ${name}, which reports`);
    }
    if (!this.#members.has(machine)) return;
    if (now - (this.#troubled.get(name) ?? -Infinity) > afterEffectMs) {
      this.#sees.violated("no-move-for-a-blink", `${unit} leaves ${name}, which had no trouble`);
    }
    const since = this.#vanished.get(machine) ?? now;
    const slowest = Math.max(...[...this.#sees.machines.values()].map(({ slowMs }) => slowMs));
    const heardBy = now - hearsayMs - 6 * slowest;
    const together = [...this.#vanished].filter(
      ([id, at]) =>
        this.#members.has(id) &&
        (this.#orders.get(id)?.size ?? 0) > 0 &&
        at <= Math.min(since + surelyTogetherMs, heardBy) &&
        at >= since - surelyTogetherMs,
    );
    const first = Math.min(...together.map(([, at]) => at));
    const within = together.filter(([, at]) => at - first <= surelyTogetherMs).length;
    if (within >= 2 && within > doubtedShare * this.#members.size) {
      const text = `${unit} leaves ${name} while ${within} of ${this.#members.size} vanished together`;
      this.#sees.violated("mass-failure-is-doubted", text);
    }
  }

  #nameOf(id: string): string {
    for (const { name, host } of this.#sees.machines.values()) if (host.machineId === id) return name;
    return id;
  }
}
