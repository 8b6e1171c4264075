// What a change would move, worked out by the scheduler's own functions.
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { moveSchema } from "../model/move.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import { type OperationPlan, withForecast } from "../safeguards/operation-plan.ts";
import { forecastDrain, forecastMoves } from "../scheduler/moving/forecast.ts";
import type { PlayOptions } from "../scheduler/foretelling/play.ts";
import { withRecords } from "../scheduler/foretelling/supposed-records.ts";
import { type Survivability, survivability } from "../scheduler/foretelling/survivability.ts";
import type { ApiContext } from "./context.ts";
import { foretellSystemUpdate } from "./foretell-system.ts";
import { foretellers } from "./foretellers.ts";

/** So long is looked for what else the cluster could not lose meanwhile. */
const lossMs = 1500;

/** A member of the store is no unit: a drain leaves it where it is. */
async function memberNotes(
  machine: string,
  { storeService }: ApiContext["options"],
): Promise<readonly string[]> {
  try {
    const status = await storeService?.status();
    const member = status?.members.find((one) => one.machine === machine);
    if (member === undefined || status?.kind !== "etcd") return [];
    const { machineName: name } = member;
    return [
      `${name} holds a member of the store, which stays there: the store does without it while ${name} reboots; before ${name} goes for good, \`keel store replace ${name}\` takes the member elsewhere`,
    ];
  } catch {
    // The store tells nothing of itself now; that is no reason not to plan.
    return [];
  }
}

/** Which machines the cluster could lose before and can lose no more, if that can be told soon. */
async function lossNotes(
  [before, after]: readonly [ClusterSnapshot, ClusterSnapshot],
  {
    machine,
    playing,
    clock,
  }: { readonly machine: string; readonly playing: PlayOptions; readonly clock: Clock },
): Promise<readonly string[]> {
  const deadline = clock.now() + lossMs;
  const found: Survivability[] = [];
  for (const snapshot of [before, after]) {
    const steps = survivability(snapshot, playing);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) {
        found.push(value);
        break;
      }
      if (clock.now() > deadline) return [];
      await setImmediate();
    }
  }
  const [now, then] = found;
  const known = new Set(now?.indispensable.map((one) => one.machine));
  return (then?.indispensable ?? [])
    .filter((one) => one.machine !== machine && !known.has(one.machine))
    .map(({ name, instance }) => {
      const what = instance === "" ? "" : `: ${instance} would be nowhere`;
      return `until it is back in service the cluster cannot lose ${name}${what}`;
    });
}

/** The plan with its forecast, if it moves anything. */
export async function foretell(
  planned: OperationPlan,
  view: ClusterView,
  context: ApiContext,
): Promise<OperationPlan> {
  if (planned.intent.kind === "update-system") return foretellSystemUpdate(planned, view, context);
  const { reader, options } = context;
  const { records = [], moves = [] } = planned.operation;
  const [record] = records;
  if (record === undefined || (planned.intent.kind !== "drain" && moves.length === 0)) return planned;
  const { snapshot } = await reader.read(view);
  const facts = reader.times(view);
  if (moves.length > 0) {
    const made = records.flatMap(({ after }) => moveSchema.safeParse(after).data ?? []);
    return withForecast(planned, forecastMoves(snapshot, made, { placements: reader.placements, facts }));
  }
  const forecast = forecastDrain(snapshot, record.name, { placements: reader.placements, facts });
  const after = withRecords(snapshot, records);
  const playing = { placements: reader.placements, facts, deciders: foretellers };
  const notes = [
    ...planned.notes,
    ...(await lossNotes([snapshot, after], { machine: record.name, playing, clock: options.clock })),
    ...(await memberNotes(record.name, options)),
  ];
  return withForecast({ ...planned, notes }, forecast);
}
