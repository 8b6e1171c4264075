// How far an update of the machines' system has come, machine by machine. Pure, from the snapshot.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Operation } from "../model/operation.ts";
import type { SystemUpdate } from "../model/system-update.ts";
import type { ProgressItem } from "./progress-item.ts";

type Verdict = Pick<ProgressItem, "state" | "reason">;

/** One item for each machine of the update that the operation began; none once another update took its place. */
export function systemItems(
  operation: Pick<Operation, "id" | "at">,
  { systemUpdate: update, members }: ClusterSnapshot,
  nowMs: number,
): ProgressItem[] {
  if (update === undefined || update.id !== operation.id) return [];
  return update.machines.map((machine): ProgressItem => {
    const instance = members.get(machine)?.name ?? machine.slice(0, 8);
    const since = update.steps[machine]?.since ?? nowMs;
    const verdict = judge(update, machine);
    const ms = Math.max(0, (verdict.state === "pending" ? nowMs : since) - operation.at);
    return { instance, unit: "", machine, want: "updated", ...verdict, ms };
  });
}

function judge(update: SystemUpdate, machine: string): Verdict {
  const step = update.steps[machine];
  switch (step?.name) {
    case "done":
      return { state: "ready", reason: "" };
    case "failed":
      return { state: "failed", reason: step.reason };
    case "draining":
    case "restarting":
      return { state: "pending", reason: `${step.name}: ${step.reason}` };
    default: {
      const reason = step === undefined || step.reason === "" ? (step?.name ?? "waiting") : step.reason;
      if (update.state === "running") return { state: "pending", reason };
      return { state: "failed", reason: `not updated: the update is ${update.state} (${update.reason})` };
    }
  }
}
