// What a change would move, worked out by the scheduler's own functions.
import { moveSchema } from "../model/move.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import { type OperationPlan, withForecast } from "../safeguards/operation-plan.ts";
import { forecastDrain, forecastMoves } from "../scheduler/moving/forecast.ts";
import type { ApiContext } from "./context.ts";

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

/** The plan with its forecast, if it moves anything. */
export async function foretell(
  planned: OperationPlan,
  view: ClusterView,
  { reader, options }: ApiContext,
): Promise<OperationPlan> {
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
  const notes = [...planned.notes, ...(await memberNotes(record.name, options))];
  return withForecast({ ...planned, notes }, forecast);
}
