// Where everything on a machine would go if it were drained: the drain is played to its end. And what planned moves
// would mean. Pure.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Forecast, ForetoldMove } from "../../model/forecast.ts";
import type { MachineSettings } from "../../model/machine-settings.ts";
import type { Move } from "../../model/move.ts";
import { amountOf } from "../../model/placement/rules.ts";
import type { ScheduleEntry } from "../../model/schedule.ts";
import { compareNames, templateName } from "../../model/unit-name.ts";
import { type Placeable, wantedInstances } from "../placeable.ts";
import { Play, type PlayOptions } from "../play.ts";

/** Yields between passes, so that a long one can be spread. */
export function* forecastDrain(
  snapshot: ClusterSnapshot,
  machine: string,
  options: PlayOptions,
): Generator<undefined, Forecast> {
  const { facts, placements } = options;
  const continuousSinceMs = Math.min(facts.continuousSinceMs ?? facts.nowMs, facts.nowMs - facts.leaseMs);
  const settings: MachineSettings = {
    ...(snapshot.machineSettings.get(machine) ?? { machine, metadata: {} }),
    cordoned: true,
    drain: { since: facts.wallMs, reason: "" },
  };
  const machineSettings = new Map([...snapshot.machineSettings, [machine, settings]]);
  const play = new Play(
    { ...snapshot, machineSettings },
    { ...options, facts: { ...facts, continuousSinceMs } },
  );
  while (play.step()) yield;
  const wanted = wantedInstances(snapshot, placements, facts.wallMs).placeables;
  const totals = totalsOf(wanted);
  const moves: ForetoldMove[] = [];
  const stranded: { instance: string; from: string; reason: string }[] = [];
  for (const { unit: instance, companion } of snapshot.schedule.get(machine)?.values() ?? []) {
    if (companion) continue;
    const unit = wanted.get(instance);
    const stays = play.plan?.stays.get(instance) ?? play.plan?.unplaced.get(instance)?.reason;
    const isStill = play.snapshot.schedule.get(machine)?.has(instance) === true;
    const [to, entry] = newPlace(instance, machine, play.snapshot) ?? [];
    if (unit?.rules.global === true) {
      moves.push({ instance, from: machine, because: "runs on every machine that fits", isDown: false });
    } else if (unit?.run !== undefined && isStill) {
      moves.push({ instance, from: machine, because: "runs to its end here first", isDown: false });
    } else if (to === undefined || entry === undefined) {
      stranded.push({ instance, from: machine, reason: stays ?? "no machine takes it" });
    } else {
      moves.push({ instance, from: machine, to, because: entry.because, isDown: isDown(unit, totals) });
    }
  }
  return {
    machines: machineNames(snapshot),
    moves: moves.sort((a, b) => compareNames(a.instance, b.instance)),
    stranded: stranded.sort((a, b) => compareNames(a.instance, b.instance)),
    isLastMachine: ![...snapshot.machines.keys()].some(
      (id) => id !== machine && snapshot.machineSettings.get(id)?.cordoned !== true,
    ),
  };
}

/** Of moves that are planned already. */
export function forecastMoves(
  snapshot: ClusterSnapshot,
  moves: readonly Move[],
  { placements, facts }: Pick<PlayOptions, "placements" | "facts">,
): Forecast {
  const wanted = wantedInstances(snapshot, placements, facts.wallMs).placeables;
  const totals = totalsOf(wanted);
  return {
    machines: machineNames(snapshot),
    moves: moves.map(({ instance, from, to, because }) => ({
      instance,
      from,
      ...(to === undefined ? {} : { to }),
      because,
      isDown: isDown(wanted.get(instance), totals),
    })),
    stranded: [],
    isLastMachine: false,
  };
}

const machineNames = ({ members }: ClusterSnapshot): Record<string, string> =>
  Object.fromEntries([...members.values()].map(({ id, name }) => [id, name]));

/** The machine that it is on afterwards, with its order there. */
function newPlace(
  instance: string,
  from: string,
  { schedule }: ClusterSnapshot,
): readonly [string, ScheduleEntry] | undefined {
  for (const [machine, entries] of schedule) {
    const entry = entries.get(instance);
    if (machine !== from && entry !== undefined && !entry.companion) return [machine, entry];
  }
  return undefined;
}

const groupOf = (name: string): string => templateName(name) ?? name;

function totalsOf(wanted: ReadonlyMap<string, Placeable>): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { name, instance } of wanted.values()) {
    if (instance.desired !== "launched") continue;
    totals.set(groupOf(name), (totals.get(groupOf(name)) ?? 0) + 1);
  }
  return totals;
}

function isDown(unit: Placeable | undefined, totals: ReadonlyMap<string, number>): boolean {
  if (unit?.instance.desired !== "launched") return false;
  const total = totals.get(groupOf(unit.name)) ?? 1;
  return total <= 1 && amountOf(unit.rules.update.maxSurge, total) === 0;
}
