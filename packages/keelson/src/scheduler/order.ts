import { attemptOf } from "../model/job.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import type { Placeable } from "./placeable.ts";
import type { SchedulerFacts } from "./plan.ts";

/** The order to run a unit, as of now. */
export function orderFor(
  { name, instance, hash, rules, run, avoids }: Placeable,
  { fence, wallMs }: Pick<SchedulerFacts, "fence" | "wallMs">,
  { because, takesOver, failedHandover }: Pick<ScheduleEntry, "because" | "takesOver" | "failedHandover">,
): ScheduleEntry {
  return {
    unit: name,
    hash,
    desired: instance.desired,
    restarts: instance.restarts,
    onPartition: rules.onPartition,
    companion: false,
    ...(run === undefined ? {} : { run: attemptOf(run) }),
    fence,
    placed: wallMs,
    because,
    ...(takesOver === undefined ? {} : { takesOver }),
    ...(failedHandover === undefined ? {} : { failedHandover }),
    ...(avoids === undefined ? {} : { avoids }),
  };
}
