// One machine's next step on its way to another version of its system. Pure; decider.ts writes what this says.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { SystemReport, SystemUpdate, UpdateStep } from "../../model/system-update.ts";

/** A release that is not written by then will not be. */
const stagingMs = 60 * 60_000;
/** Three tries of a boot that hangs, each ended by its gate, and the way back. */
const restartMs = 45 * 60_000;
/** A machine's new version is believed after it has been in service for so long. */
const settlingMs = 5000;

export interface MachineScene {
  readonly snapshot: ClusterSnapshot;
  readonly update: SystemUpdate;
  readonly machine: string;
  readonly step: UpdateStep;
  /** Unix milliseconds. */
  readonly wallMs: number;
}

/** What becomes of the step; the same step when it waits. `orders` is what the machine is to be told. */
export interface Advance {
  readonly name: UpdateStep["name"];
  readonly reason: string;
}

/** Whether the machine's turn may come although others are under way. */
export const isUnderWay = ({ name }: UpdateStep): boolean => name === "draining" || name === "restarting";

/** Where the step goes, apart from whose turn it is: decider.ts says that. */
export function advance(scene: MachineScene): Advance {
  const { step, update, snapshot, machine } = scene;
  const report = snapshot.systemReports.get(machine);
  switch (step.name) {
    case "waiting":
      return hasArrived(report, update) && report?.bootId !== step.bootId && update.to !== "previous"
        ? { name: "done", reason: "has it already" }
        : same(step);
    case "staging":
      return staging(scene, report);
    case "staged":
      return update.state === "aborted" ? cancelling(update, step, report) : same(step);
    case "draining":
      return draining(scene);
    case "restarting":
      return restarting(scene, report);
    case "done":
    case "failed":
      return same(step);
  }
}

function staging({ update, step, wallMs, snapshot, machine }: MachineScene, report?: SystemReport): Advance {
  if (report === undefined) return { name: "staging", reason: "has not said what it has" };
  if (hasArrived(report, update)) return { name: "done", reason: "has it already" };
  const order =
    report.order?.update === update.id && report.order.action === "stage" ? report.order : undefined;
  if (order?.state === "done") return { name: "staged", reason: "waits for its turn" };
  if (order?.state === "failed") return failed(order.reason);
  if (wallMs - step.since > stagingMs) return failed("the release was not written within an hour");
  const { progress } = order ?? {};
  const written = progress === undefined ? "" : `${percent(progress)} % written`;
  return { name: "staging", reason: snapshot.machines.has(machine) ? written : "is away" };
}

/** An update that was given up is not to start with the machine's next restart. */
function cancelling(update: SystemUpdate, step: UpdateStep, report?: SystemReport): Advance {
  const order = report?.order?.update === update.id ? report.order : undefined;
  if (report !== undefined && report.next !== update.to) return { name: "waiting", reason: update.reason };
  const isRefused = order?.action === "cancel" && order.state === "failed";
  return isRefused ? { name: "waiting", reason: order.reason } : same(step);
}

function draining({ snapshot, machine, step }: MachineScene): Advance {
  const left = unitsOn(machine, snapshot);
  if (left.length === 0) return { name: "restarting", reason: "restarts" };
  const names = left.slice(0, 3).join(", ");
  const reason = `${left.length} ${left.length === 1 ? "unit is" : "units are"} still there: ${names}`;
  return { name: step.name, reason };
}

function restarting(scene: MachineScene, report?: SystemReport): Advance {
  const { update, step, wallMs, snapshot, machine } = scene;
  const order = report?.order;
  if (order?.update === update.id && order.action === "restart" && order.state === "failed") {
    return failed(order.reason);
  }
  const isBack = report !== undefined && report.bootId !== step.bootId && snapshot.machines.has(machine);
  if (isBack && snapshot.machines.get(machine)?.bootId === report.bootId && !report.onTrial) {
    if (!hasArrived(report, update, step.bootId)) return failed(wentBack(report, update));
    const { since } = snapshot.machines.get(machine) ?? { since: wallMs };
    if (wallMs - since >= settlingMs) return { name: "done", reason: "" };
    return { name: "restarting", reason: `runs ${report.version}, and is looked at for a moment` };
  }
  if (wallMs - step.since > restartMs) return failed("did not come back within 45 minutes");
  if (!isBack) return { name: "restarting", reason: "restarts" };
  return { name: "restarting", reason: `runs ${report.version} on trial` };
}

/** When something changes without any report, in Unix milliseconds. */
export function dueAt({ step, snapshot, machine }: MachineScene): number | undefined {
  if (step.name === "staging") return step.since + stagingMs + 1;
  if (step.name !== "restarting") return undefined;
  const since = snapshot.machines.get(machine)?.since;
  return since === undefined || since < step.since ? step.since + restartMs + 1 : since + settlingMs;
}

function hasArrived(report: SystemReport | undefined, { to }: SystemUpdate, oldBoot?: string): boolean {
  if (report === undefined || report.onTrial) return false;
  // Back to the other slot: another boot of a version that it does not call failed.
  if (to === "previous") return oldBoot !== undefined && report.bootId !== oldBoot;
  return report.version === to;
}

function wentBack(report: SystemReport, { to }: SystemUpdate): string {
  const known = report.failed.findLast(({ version }) => version === to);
  const why = known === undefined ? "" : `: ${known.reason}`;
  return `went back to ${report.version}${why}`;
}

/** Names of units that are ordered to the machine, or that it says run. */
export function unitsOn(machine: string, { schedule, statuses }: ClusterSnapshot): string[] {
  const names = new Set(schedule.get(machine)?.keys() ?? []);
  for (const { unit, active } of statuses.get(machine)?.values() ?? []) {
    if (active !== "inactive" && active !== "failed") names.add(unit);
  }
  return [...names].sort();
}

const percent = ({ done, total }: { readonly done: number; readonly total: number }): number =>
  Math.floor((100 * done) / Math.max(1, total));
const same = ({ name, reason }: UpdateStep): Advance => ({ name, reason });
const failed = (reason: string): Advance => ({ name: "failed", reason });
