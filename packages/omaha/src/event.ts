// Events in words. update_engine sends types 3, 13 and 14 with results 0, 1, 2 and 9; locksmith 800; other
// clients of the protocol the rest. Sources: ServerProtocolV3.md and go-omaha, see request.ts.
import type { OmahaEvent } from "./request.ts";

/** What each type of event means. */
export const eventTypes: ReadonlyMap<number, string> = new Map([
  [0, "unknown"],
  [1, "download complete"],
  [2, "install complete"],
  [3, "update complete"],
  [4, "uninstalled"],
  [5, "download started"],
  [6, "install started"],
  [9, "install of a new application started"],
  [10, "setup started"],
  [11, "setup finished"],
  [12, "update started"],
  [13, "update’s download started"],
  [14, "update’s download finished"],
  [15, "update’s installer started"],
  [16, "setup’s own update started"],
  [17, "setup’s own update finished"],
  [20, "product registered"],
  [30, "first check of an OEM install"],
  [40, "application’s command started"],
  [41, "application’s command ended"],
  [50, "update check failed"],
  [51, "of the implementer’s own meaning"],
  [52, "of the implementer’s own meaning"],
  [53, "of the implementer’s own meaning"],
  [54, "of the implementer’s own meaning"],
  [55, "of the implementer’s own meaning"],
  [100, "setup failed"],
  [102, "COM server failed"],
  [103, "setup’s own update failed"],
  [800, "update installed, its completion held back"],
]);

/** What each result of an event means. */
export const eventResults: ReadonlyMap<number, string> = new Map([
  [0, "error"],
  [1, "success"],
  [2, "success, after a restart"],
  [3, "success, after a restart of the browser"],
  [4, "cancelled"],
  [5, "error of an MSI installer"],
  [6, "error of another installer"],
  [7, "the server offered no update"],
  [8, "error of the system’s installer"],
  [9, "deferred"],
  [10, "error while handing over to a running updater"],
]);

/**
 * How far an update has come, by what an event says:
 * - `downloading`, `downloaded`;
 * - `applied`: written, waits for the restart;
 * - `held`: installed, waits to be told to go on;
 * - `complete`: runs what was installed;
 * - `unchanged`: update_engine's periodic check of a machine that was not updated since the last one: it sends
 *   the event of a complete update with an empty previous version, or `0.0.0.0` on the very first;
 * - `failed`, `deferred`;
 * - `other`: not about an update's progress.
 */
export type UpdateStage =
  | "downloading"
  | "downloaded"
  | "applied"
  | "held"
  | "complete"
  | "unchanged"
  | "failed"
  | "deferred"
  | "other";

const NEVER_UPDATED = "0.0.0.0";
const failures: ReadonlySet<number> = new Set([0, 4, 5, 6, 8, 10]);
const DEFERRED = 9;

/** The stage that an event of update_engine, or of a client like it, reports. */
export function stageOf({ type, result, previousVersion }: OmahaEvent): UpdateStage {
  if (type === 0) return "other";
  if (failures.has(result)) return "failed";
  if (result === DEFERRED) return "deferred";
  if (result !== 1 && result !== 2) return "other";
  switch (type) {
    case 13:
      return "downloading";
    case 1:
    case 14:
      return "downloaded";
    case 800:
      return "held";
    case 3:
      if (result === 1) return "applied";
      return previousVersion === "" || previousVersion === NEVER_UPDATED ? "unchanged" : "complete";
    default:
      return "other";
  }
}

/** An event as a phrase: `update complete: success, after a restart, from 1.0.0`. */
export function describeEvent({ type, result, previousVersion = "" }: OmahaEvent): string {
  const what = eventTypes.get(type) ?? `event ${type}`;
  const outcome = eventResults.get(result) ?? `result ${result}`;
  const from = previousVersion === "" || previousVersion === NEVER_UPDATED ? "" : `, from ${previousVersion}`;
  return `${what}: ${outcome}${from}`;
}
