// Where everything on a machine would go if it were drained, and what planned moves would mean: from the board of a
// pass, by the functions that place units. Pure, and nothing is changed.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Forecast, ForetoldMove } from "../../model/forecast.ts";
import type { Move } from "../../model/move.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import { amountOf } from "../../model/placement/rules.ts";
import { compareNames, templateName } from "../../model/unit-name.ts";
import { choose } from "../choice.ts";
import { byDependence, followersOf } from "../company.ts";
import { type Placeable, wantedInstances } from "../placeable.ts";
import type { SchedulerFacts } from "../plan.ts";
import { runPass } from "../schedule.ts";
import { summarise } from "../words.ts";

export interface ForecastOptions {
  readonly placements: PlacementSource;
  readonly facts: SchedulerFacts;
}

export function forecastDrain(
  snapshot: ClusterSnapshot,
  machine: string,
  { placements, facts }: ForecastOptions,
): Forecast {
  const { board, wanted } = runPass(snapshot, placements, facts);
  const { placeables } = wanted;
  const followers = followersOf(placeables);
  const totals = totalsOf(placeables);
  const moves: ForetoldMove[] = [];
  const stranded: { instance: string; from: string; reason: string }[] = [];
  const leaving: Placeable[] = [];
  for (const { unit: instance, companion } of snapshot.schedule.get(machine)?.values() ?? []) {
    const unit = placeables.get(instance);
    if (companion || unit === undefined) continue;
    const stays = { instance, from: machine, isDown: false };
    if (unit.rules.global) moves.push({ ...stays, because: "runs on every machine that fits" });
    else if (unit.run !== undefined) moves.push({ ...stays, because: "runs to its end here first" });
    else leaving.push(unit);
  }
  for (const unit of leaving) if (board.site(machine)?.units.has(unit.name)) board.take(machine, unit);
  const inOrder = byDependence(
    leaving.toSorted((a, b) => compareNames(a.name, b.name)),
    placeables,
  );
  for (const unit of inOrder) {
    const { name: instance } = unit;
    const shuns = new Map([...(unit.shuns ?? []), [machine, "is being drained"]]);
    const choice = choose({ ...unit, shuns }, board, followers.get(instance) ?? []);
    if ("site" in choice) {
      const to = choice.site.machine.id;
      moves.push({ instance, from: machine, to, because: choice.because, isDown: isDown(unit, totals) });
      board.put(to, unit);
    } else {
      const others = new Map([...choice.rejections].filter(([id]) => id !== machine));
      const { reason } = summarise(others, snapshot);
      stranded.push({
        instance,
        from: machine,
        reason: others.size === 0 ? "there is no other machine" : reason,
      });
      if (board.site(machine) !== undefined) board.put(machine, unit);
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
  { placements, facts }: ForecastOptions,
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
