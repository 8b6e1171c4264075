// What an update of the machines' system would move: every machine of it is drained when its turn comes.
import { setImmediate } from "node:timers/promises";
import type { Forecast, ForetoldMove } from "../model/forecast.ts";
import type { SystemUpdate } from "../model/system-update.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import type { OperationPlan } from "../safeguards/operation-plan.ts";
import { forecastDrain } from "../scheduler/moving/forecast.ts";
import type { ApiContext } from "./context.ts";

/** So long it is worked out what moves; of machines after that nothing is foretold. */
const foretellMs = 2000;

/** The plan with what its machines' drains would move, each as things stand now, and what would fit nowhere else. */
export async function foretellSystemUpdate(
  planned: OperationPlan,
  view: ClusterView,
  { reader, options }: ApiContext,
): Promise<OperationPlan> {
  const record = planned.operation.records?.find(({ kind }) => kind === "system-update")?.after;
  if (record === undefined) return planned;
  const { machines } = record as SystemUpdate;
  const { snapshot } = await reader.read(view);
  const facts = reader.times(view);
  const deadline = options.clock.now() + foretellMs;
  const moves: ForetoldMove[] = [];
  const stranded: Forecast["stranded"][number][] = [];
  let names: Forecast["machines"] = {};
  let isLastMachine = false;
  let foretold = 0;
  for (const machine of machines) {
    if (foretold > 0 && options.clock.now() > deadline) break;
    const forecast = forecastDrain(snapshot, machine, { placements: reader.placements, facts });
    moves.push(...forecast.moves);
    stranded.push(...forecast.stranded);
    names = forecast.machines;
    isLastMachine ||= forecast.isLastMachine;
    foretold += 1;
    await setImmediate();
  }
  const left = machines.length - foretold;
  const notes = left === 0 ? [] : [`what moves from the last ${left} of the machines is not foretold`];
  const forecast = { machines: names, moves, stranded, isLastMachine };
  return { ...planned, notes: [...planned.notes, ...notes], forecast };
}
