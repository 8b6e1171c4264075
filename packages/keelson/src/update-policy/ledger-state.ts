// What entries add up to. Nothing here looks at configuration or decides: the same entries make the same state.
import { KeelError } from "../base/errors.ts";
import type { Entry, Ended, Granted, Halted, Moved, RolloutBegan, Seen } from "./entries.ts";
import { Fleet, marks } from "./fleet.ts";
import { GroupState } from "./group-state.ts";
import type { Rollout } from "./group-state.ts";
import { ownCopy } from "./interned.ts";
import { stateNumber } from "./machine-state.ts";
import type { MachineState } from "./machine-state.ts";
import { noteFailure } from "./quarantine.ts";
import { reasonCodes } from "./reasons.ts";
import type { ReasonCode } from "./reasons.ts";

const reasonNumbers = new Map<ReasonCode, number>(reasonCodes.map((code, place) => [code, place + 1]));
const reported = marks.ok | marks.failed | marks.lapsed;

export class LedgerState {
  readonly fleets = new Map<string, Fleet>();
  readonly groups: GroupState[] = [];
  readonly #groupsByName = new Map<string, GroupState>();
  /** The latest time of any entry. */
  clock = 0;
  /** Milliseconds that the ledger's clock is ahead of the wall's. */
  ahead = 0;
  /** Entries that were applied. */
  revision = 0;
  /** The number that the latest rollout got. */
  rolloutNumber = 0;
  /** Machines of all fleets. */
  machines = 0;

  group(application: string, name: string): GroupState | undefined {
    return this.#groupsByName.get(`${application}/${name}`);
  }

  groupOf(fleet: Fleet, row: number): GroupState {
    const group = this.groups[fleet.at.group[row] ?? 0];
    if (group === undefined) throw broken(`${fleet.id(row)} is in no group`);
    return group;
  }

  ensureGroup(application: string, name: string): GroupState {
    const known = this.group(application, name);
    if (known !== undefined) return known;
    const group = new GroupState({ application, name, number: this.groups.length });
    this.groups.push(group);
    this.#groupsByName.set(`${application}/${name}`, group);
    return group;
  }

  ensureFleet(application: string): Fleet {
    const known = this.fleets.get(application);
    if (known !== undefined) return known;
    const fleet = new Fleet(application);
    this.fleets.set(application, fleet);
    return fleet;
  }

  /** Throws KEEL-402 for an entry that speaks of what no entry before it brought. */
  apply(entry: Entry): void {
    this.clock = Math.max(this.clock, entry.at);
    this.revision += 1;
    switch (entry.kind) {
      case "seen":
        return this.#seen(entry);
      case "granted":
        return this.#granted(entry);
      case "moved":
        return this.#moved(entry);
      case "ended":
        return this.#ended(entry);
      case "began":
        return void this.#began(entry);
      case "halted":
        return this.#halted(entry);
      case "resumed":
        return this.#resumed(this.#rollout(entry), entry.at);
      case "cleared": {
        const { fleet, row } = this.#row(entry);
        const failures = fleet.failures.get(entry.machine);
        if (entry.version === undefined) failures?.clear();
        else failures?.delete(entry.version);
        if (failures?.size === 0) fleet.failures.delete(entry.machine);
        if (fleet.state(row) === "failed") this.#setState(fleet, row, { to: "behind", at: entry.at });
        return;
      }
      case "forgotten":
        return this.#forgotten(this.#row(entry));
      case "clock":
        this.ahead = entry.ahead;
    }
  }

  #row({ application, machine }: { application: string; machine: string }): { fleet: Fleet; row: number } {
    const fleet = this.fleets.get(application);
    const row = fleet?.row(machine);
    if (fleet === undefined || row === undefined) throw broken(`${machine} of ${application} is not known`);
    return { fleet, row };
  }

  #seen(entry: Seen): void {
    const fleet = this.ensureFleet(entry.application);
    const row = fleet.row(entry.machine) ?? this.#newMachine(fleet, entry);
    const { at } = fleet;
    if (entry.group !== undefined) this.#changeGroup(fleet, row, entry.group);
    if (entry.version !== undefined) {
      const group = this.groupOf(fleet, row);
      group.countVersion(fleet.version(row), -1);
      at.version[row] = fleet.versions.exchange(at.version[row] ?? 0, entry.version);
      group.countVersion(fleet.version(row), 1);
    }
    if (entry.profile !== undefined)
      at.profile[row] = fleet.profiles.exchange(at.profile[row] ?? 0, entry.profile);
    if (entry.names !== undefined) fleet.setNames(row, entry.names);
    if (entry.proven === true) fleet.mark(row, marks.proven);
    if (entry.boot !== undefined) at.boot[row] = entry.boot;
    if (entry.reason !== undefined) at.reason[row] = reasonNumbers.get(entry.reason) ?? 0;
    if (entry.state !== undefined) this.#setState(fleet, row, { to: entry.state, at: entry.at });
    at.seen[row] = entry.at;
  }

  #newMachine(fleet: Fleet, { machine, group, version, at }: Seen): number {
    if (group === undefined || version === undefined)
      throw broken(`${machine} came without group or version`);
    const row = fleet.add(machine);
    const state = this.ensureGroup(fleet.application, group);
    fleet.at.group[row] = state.number;
    fleet.at.since[row] = at;
    state.machines += 1;
    state.countState(0, 1);
    state.countVersion("", 1);
    this.machines += 1;
    return row;
  }

  #changeGroup(fleet: Fleet, row: number, name: string): void {
    const before = this.groupOf(fleet, row);
    const after = this.ensureGroup(fleet.application, name);
    if (before === after) return;
    this.#release(fleet, row);
    for (const [group, by] of [
      [before, -1],
      [after, 1],
    ] as const) {
      group.machines += by;
      group.countState(fleet.at.state[row] ?? 0, by);
      group.countVersion(fleet.version(row), by);
    }
    fleet.at.group[row] = after.number;
    // Its results are those of the other group's rollouts.
    fleet.at.rollout[row] = 0;
    fleet.mark(row, 0, reported);
  }

  #granted({ application, machine, version, at, until }: Granted): void {
    const { fleet, row } = this.#row({ application, machine });
    const group = this.groupOf(fleet, row);
    const columns = fleet.at;
    columns.target[row] = fleet.versions.exchange(columns.target[row] ?? 0, version);
    columns.granted[row] = at;
    columns.grantBoot[row] = columns.boot[row] ?? 0;
    group.grants.add(at);
    this.#hold(fleet, row, until);
    this.#enrol(fleet, row);
    this.#setState(fleet, row, { to: "granted", at });
  }

  #moved({ application, machine, state, at, until }: Moved): void {
    const { fleet, row } = this.#row({ application, machine });
    if (until !== undefined) {
      this.#hold(fleet, row, until);
      this.#enrol(fleet, row);
    }
    this.#setState(fleet, row, { to: state, at });
  }

  #ended(entry: Ended): void {
    const { fleet, row } = this.#row(entry);
    const group = this.groupOf(fleet, row);
    const target = fleet.target(row);
    const held = this.#release(fleet, row);
    const rollout = group.rollouts.get(target);
    switch (entry.how) {
      case "done":
        if (held) {
          const took = entry.at - (fleet.at.granted[row] ?? entry.at);
          group.usualMs = group.usualMs === 0 ? took : Math.round(group.usualMs * 0.8 + took * 0.2);
        }
        fleet.failures.get(entry.machine)?.delete(target);
        if (fleet.failures.get(entry.machine)?.size === 0) fleet.failures.delete(entry.machine);
        if (entry.counted === true) this.#result(fleet, row, "ok");
        return this.#setState(fleet, row, { to: "current", at: entry.at });
      case "failed":
        this.#noteFailure(fleet, row, entry);
        if (entry.counted === true) this.#result(fleet, row, "failed");
        return this.#setState(fleet, row, { to: "failed", at: entry.at });
      case "lapsed":
        if (rollout !== undefined && rollout.number === fleet.at.rollout[row] && !fleet.has(row, reported)) {
          fleet.mark(row, marks.lapsed);
          rollout.lapsed += 1;
        }
        // An installed one was not in vain: it may have to wait for its restart.
        if (fleet.state(row) === "installed") return;
        this.#noteFailure(fleet, row, entry);
        return this.#setState(fleet, row, { to: "behind", at: entry.at });
      case "withdrawn":
        return this.#setState(fleet, row, { to: "behind", at: entry.at });
    }
  }

  #noteFailure(fleet: Fleet, row: number, { fellBack, code, words }: Ended): void {
    const machine = fleet.id(row);
    const failures = fleet.failures.get(machine) ?? new Map();
    const own = words === undefined ? undefined : ownCopy(words);
    noteFailure(failures, fleet.target(row), { fellBack: fellBack === true, code, words: own });
    fleet.failures.set(machine, failures);
  }

  /** One machine is one result, its latest. */
  #result(fleet: Fleet, row: number, result: "ok" | "failed"): void {
    this.#enrol(fleet, row);
    const rollout = this.groupOf(fleet, row).rollouts.get(fleet.target(row));
    if (rollout === undefined) return;
    for (const other of ["ok", "failed"] as const) {
      if (fleet.has(row, marks[other])) rollout[other] -= 1;
    }
    rollout[result] += 1;
    fleet.mark(row, marks[result], reported);
  }

  /** Counts the machine among those of its target's rollout that were given it, and did not vanish. */
  #enrol(fleet: Fleet, row: number): void {
    const rollout = this.groupOf(fleet, row).rollouts.get(fleet.target(row));
    if (rollout === undefined) return;
    if (fleet.at.rollout[row] !== rollout.number) {
      fleet.at.rollout[row] = rollout.number;
      fleet.mark(row, 0, reported);
      rollout.granted += 1;
    } else if (fleet.has(row, marks.lapsed)) {
      fleet.mark(row, 0, marks.lapsed);
      rollout.lapsed -= 1;
    }
  }

  #hold(fleet: Fleet, row: number, until: number): void {
    const group = this.groupOf(fleet, row);
    if (!fleet.has(row, marks.live)) group.taken += 1;
    fleet.mark(row, marks.live);
    fleet.at.until[row] = until;
    group.leases.add(until, row);
  }

  #release(fleet: Fleet, row: number): boolean {
    if (!fleet.has(row, marks.live)) return false;
    fleet.mark(row, 0, marks.live);
    fleet.at.until[row] = 0;
    this.groupOf(fleet, row).taken -= 1;
    return true;
  }

  #began({ application, group, version, at, good, back }: Omit<RolloutBegan, "kind">): Rollout {
    const rollout: Rollout = {
      number: ++this.rolloutNumber,
      version,
      began: at,
      good,
      back: back === true,
      granted: 0,
      lapsed: 0,
      ok: 0,
      failed: 0,
      halt: undefined,
    };
    this.ensureGroup(application, group).addRollout(rollout);
    return rollout;
  }

  #rollout(about: Pick<RolloutBegan, "application" | "group" | "version" | "at">): Rollout {
    return this.group(about.application, about.group)?.rollouts.get(about.version) ?? this.#began(about);
  }

  #halted(entry: Halted): void {
    const { by, failed, results, at, who, good } = entry;
    const rollout = this.#rollout(entry);
    if (good !== undefined) rollout.good = good;
    rollout.halt = { by, failed, results, at, ...(who === undefined ? {} : { who }) };
  }

  #resumed(rollout: Rollout, at: number): void {
    rollout.number = ++this.rolloutNumber;
    rollout.began = at;
    rollout.granted = rollout.lapsed = rollout.ok = rollout.failed = 0;
    rollout.halt = undefined;
  }

  #forgotten({ fleet, row }: { readonly fleet: Fleet; readonly row: number }): void {
    const group = this.groupOf(fleet, row);
    this.#release(fleet, row);
    group.machines -= 1;
    group.countState(fleet.at.state[row] ?? 0, -1);
    group.countVersion(fleet.version(row), -1);
    this.machines -= 1;
    const moved = fleet.remove(row);
    if (moved !== undefined && fleet.has(moved, marks.live))
      this.groupOf(fleet, moved).leases.add(fleet.at.until[moved] ?? 0, moved);
  }

  #setState(fleet: Fleet, row: number, { to, at }: { readonly to: MachineState; readonly at: number }): void {
    const before = fleet.at.state[row] ?? 0;
    const after = stateNumber[to];
    if (before === after) return;
    const group = this.groupOf(fleet, row);
    group.countState(before, -1);
    group.countState(after, 1);
    fleet.setState(row, to);
    fleet.at.since[row] = at;
  }
}

/** The reason code that a row's column holds. */
export const toldReason = (number: number): ReasonCode | undefined => reasonCodes[number - 1];

function broken(why: string): KeelError {
  return new KeelError("KEEL-402", `the update ledger does not fit together: ${why}`);
}
