import { attemptOf } from "../model/job.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import type { Placeable } from "./placeable.ts";
import type { SchedulerFacts } from "./plan.ts";

/** The order to run a unit, as of now. */
export function orderFor(
  { name, instance, hash, rules, run }: Placeable,
  { fence, wallMs }: Pick<SchedulerFacts, "fence" | "wallMs">,
  because: string,
): ScheduleEntry {
  return {
    unit: name,
    hash,
    desired: instance.desired,
    restarts: instance.unit.restarts,
    onPartition: rules.onPartition,
    companion: false,
    ...(run === undefined ? {} : { run: attemptOf(run) }),
    fence,
    placed: wallMs,
    because,
  };
}
