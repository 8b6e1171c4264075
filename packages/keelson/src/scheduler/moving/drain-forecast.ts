// Where everything on a machine would go if it were drained: the drain is played to its end. Pure.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Forecast, ForetoldMove } from "../../model/forecast.ts";
import type { MachineSettings } from "../../model/machine-settings.ts";
import { amountOf } from "../../model/placement/rules.ts";
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
    const [to, entry] = newPlace(instance, machine, { before: snapshot, after: play.snapshot }) ?? [];
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
    machines: Object.fromEntries([...snapshot.members.values()].map(({ id, name }) => [id, name])),
    moves: moves.sort((a, b) => compareNames(a.instance, b.instance)),
    stranded: stranded.sort((a, b) => compareNames(a.instance, b.instance)),
    isLastMachine: ![...snapshot.machines.keys()].some(
      (id) => id !== machine && snapshot.machineSettings.get(id)?.cordoned !== true,
    ),
  };
}

/** The machine that it is on afterwards, with its order there. */
function newPlace(
  instance: string,
  from: string,
  { after }: { readonly before: ClusterSnapshot; readonly after: ClusterSnapshot },
) {
  for (const [machine, entries] of after.schedule) {
    const entry = entries.get(instance);
    if (machine !== from && entry !== undefined && !entry.companion) return [machine, entry] as const;
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
