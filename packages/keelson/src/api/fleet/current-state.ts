// fleet's current state from what machines report: `launched` means that the order to start was carried out, by
// its newest file and restart, whatever became of the unit since; `loaded` that it is there and is not started.
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import type { DesiredState } from "../../model/unit.ts";

const running = new Set(["active", "activating", "reloading", "refreshing", "deactivating"]);

/** Of a unit that no machine reports, `inactive`. */
export function currentState(
  place: { readonly entry: ScheduleEntry | undefined; readonly status: UnitStatus | undefined } | undefined,
): DesiredState {
  if (place?.status === undefined) return "inactive";
  const { entry, status } = place;
  if (entry?.desired !== "launched") return running.has(status.active) ? "launched" : "loaded";
  const isCarriedOut = status.hash === entry.hash && status.restarts >= entry.restarts;
  return isCarriedOut ? "launched" : "loaded";
}
