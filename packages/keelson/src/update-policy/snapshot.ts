// A ledger as lines of JSON: what holds for all, groups, rollouts, then one line for every machine. A frozen ledger
// is a copy of columns, made at once; its lines can be written while the ledger goes on.
import { KeelError } from "../base/errors.ts";
import { Fleet } from "./fleet.ts";
import type { ColumnName } from "./fleet.ts";
import { LedgerState } from "./ledger-state.ts";
import { marks } from "./fleet.ts";
import type { VersionFailure } from "./quarantine.ts";
import type { Rollout } from "./group-state.ts";

/** Of the lines; another one is refused. */
const FORMAT = 1;

export interface FrozenLedger {
  /** Entries that it holds. */
  readonly revision: number;
  /** Can be read once. */
  lines(): Generator<string>;
}

/** Columns that are written as they are, in this order. */
const plain = [
  "group",
  "rollout",
  "state",
  "reason",
  "marks",
  "boot",
  "grantBoot",
  "seen",
  "since",
  "granted",
  "until",
] as const satisfies readonly ColumnName[];

export function freezeState(state: LedgerState): FrozenLedger {
  const head = [
    JSON.stringify(["ledger", FORMAT, state.clock, state.ahead, state.revision, state.rolloutNumber]),
  ];
  for (const group of state.groups) {
    head.push(JSON.stringify(["group", group.application, group.name, group.usualMs, group.grants.values()]));
    for (const one of group.rollouts.values()) {
      head.push(
        JSON.stringify([
          "rollout",
          group.number,
          one.number,
          one.version,
          one.began,
          one.good ?? null,
          one.back,
          [one.granted, one.lapsed, one.ok, one.failed],
          one.halt ?? null,
        ]),
      );
    }
  }
  const fleets = [...state.fleets.values()].map((fleet) => fleet.freeze());
  return {
    revision: state.revision,
    *lines() {
      let count = head.length;
      yield* head;
      for (const fleet of fleets) {
        count += 1;
        yield JSON.stringify(["fleet", fleet.application]);
        for (const line of fleet.lines(plain)) {
          count += 1;
          yield line;
        }
      }
      yield JSON.stringify(["end", count]);
    },
  };
}

export function thawState(lines: Iterable<string>): LedgerState {
  const state = new LedgerState();
  let fleet: Fleet | undefined;
  let place = 0;
  let [begun, ended] = [false, false];
  for (const line of lines) {
    place += 1;
    try {
      const values: unknown = JSON.parse(line);
      if (!Array.isArray(values) || ended || begun === (values[0] === "ledger"))
        throw new Error("out of place");
      switch (values[0]) {
        case "ledger":
          begun = true;
          readHead(state, values);
          break;
        case "group":
          readGroup(state, values);
          break;
        case "rollout":
          readRollout(state, values);
          break;
        case "fleet":
          fleet = state.ensureFleet(text(values[1]));
          break;
        case "end":
          if (values[1] !== place - 1) throw new Error("lines are missing, or there are too many");
          ended = true;
          break;
        case "m":
          if (fleet === undefined) throw new Error("a machine of no fleet");
          readMachine(state, fleet, values);
          break;
        default:
          throw new Error("of no known kind");
      }
    } catch (cause) {
      throw new KeelError("KEEL-402", `line ${place} of the update ledger: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
  if (!ended) throw new KeelError("KEEL-402", `the update ledger ends early, after ${place} lines`);
  return state;
}

function readHead(state: LedgerState, [, format, clock, ahead, revision, rolloutNumber]: unknown[]): void {
  if (format !== FORMAT) throw new Error(`format ${String(format)}`);
  state.clock = number(clock);
  state.ahead = number(ahead);
  state.revision = number(revision);
  state.rolloutNumber = number(rolloutNumber);
}

function readGroup(state: LedgerState, [, application, name, usualMs, grants]: unknown[]): void {
  const group = state.ensureGroup(text(application), text(name));
  group.usualMs = number(usualMs);
  for (const time of list(grants)) group.grants.add(number(time));
}

function readRollout(state: LedgerState, values: unknown[]): void {
  const [, group, own, version, began, good, back, counts, halt] = values;
  const [granted, lapsed, ok, failed] = list(counts).map(number);
  const into = state.groups[number(group)];
  if (into === undefined) throw new Error("a rollout of no group");
  into.addRollout({
    number: number(own),
    version: text(version),
    began: number(began),
    good: good === null ? undefined : text(good),
    back: back === true,
    granted: granted ?? 0,
    lapsed: lapsed ?? 0,
    ok: ok ?? 0,
    failed: failed ?? 0,
    halt: halt === null ? undefined : readHalt(halt),
  });
}

function readHalt(value: unknown): NonNullable<Rollout["halt"]> {
  const { by, failed, results, at, who } = value as Record<string, unknown>;
  if (by !== "failures" && by !== "share" && by !== "person") throw new Error("a halt by nobody");
  return {
    by,
    failed: number(failed),
    results: number(results),
    at: number(at),
    ...(who === undefined ? {} : { who: text(who) }),
  };
}

function readMachine(state: LedgerState, fleet: Fleet, values: unknown[]): void {
  const machine = text(values[1]);
  if (fleet.row(machine) !== undefined) throw new Error(`${machine} twice`);
  const numbers = list(values[6]).map(number);
  const group = state.groups[numbers[0] ?? -1];
  if (group === undefined) throw new Error("a machine of no group");
  const row = fleet.add(machine);
  const { at } = fleet;
  at.version[row] = fleet.versions.take(text(values[2]));
  at.target[row] = fleet.versions.take(text(values[3]));
  at.profile[row] = fleet.profiles.take(text(values[4]));
  fleet.setNames(row, text(values[5]));
  for (const [place, name] of plain.entries()) at[name][row] = numbers[place] ?? 0;
  if (values[7] !== undefined) {
    const failures = list(values[7]).map((one): [string, VersionFailure] => {
      const [version, failure] = list(one);
      return [text(version), failure as VersionFailure];
    });
    fleet.failures.set(machine, new Map(failures));
  }
  state.machines += 1;
  group.machines += 1;
  group.countState(at.state[row] ?? 0, 1);
  group.countVersion(fleet.version(row), 1);
  if (fleet.has(row, marks.live)) {
    group.taken += 1;
    group.leases.add(at.until[row] ?? 0, row);
  }
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error("no text where one belongs");
  return value;
}

function number(value: unknown): number {
  if (typeof value !== "number") throw new Error("no number where one belongs");
  return value;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error("no list where one belongs");
  return value;
}
