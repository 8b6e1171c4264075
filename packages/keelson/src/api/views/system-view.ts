// The machines' operating systems as people see them.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { SystemReport, SystemUpdate } from "../../model/system-update.ts";
import { compareNames } from "../../model/unit-name.ts";
import type { MachineSystemView, SystemUpdateView, SystemView } from "../wire/system-update.ts";

export function systemView(snapshot: ClusterSnapshot): SystemView {
  const { members, machines, systemReports, systemUpdate: update, revision } = snapshot;
  const views = [...members.values()]
    .map(({ id, name }): MachineSystemView => ({
      machine: id,
      name,
      up: machines.has(id),
      system: slotsView(systemReports.get(id)),
      step: stepView(id, update, systemReports.get(id)),
    }))
    .toSorted((a, b) => compareNames(a.name, b.name));
  return { revision, update: update === undefined ? null : updateView(update), machines: views };
}

function updateView(update: SystemUpdate): SystemUpdateView {
  const { id: operation, to, source, atOnce, drainSeconds, state, reason, started, changed } = update;
  const steps = update.machines.map((machine) => update.steps[machine]?.name);
  return {
    operation,
    to,
    source: source ?? null,
    atOnce,
    drainSeconds: drainSeconds ?? null,
    state,
    reason,
    done: steps.filter((name) => name === "done").length,
    failed: steps.filter((name) => name === "failed").length,
    total: steps.length,
    started,
    changed,
  };
}

function slotsView(report: SystemReport | undefined): MachineSystemView["system"] {
  if (report === undefined) return null;
  const { version, variant, slot, onTrial, next, other, keepsStore, failed, history = [] } = report;
  const versions = { version, next: next ?? null, other: other ?? null };
  return { ...versions, variant, slot, onTrial, keepsStore, failed, history };
}

function stepView(
  machine: string,
  update: SystemUpdate | undefined,
  report: SystemReport | undefined,
): MachineSystemView["step"] {
  const step = update?.steps[machine];
  if (update === undefined || step === undefined) return null;
  const { name, since, reason } = step;
  const isOwn = report?.order?.update === update.id && name === "staging";
  const progress = isOwn ? (report.order?.progress ?? null) : null;
  return { name, since, reason, turn: update.machines.indexOf(machine) + 1, progress };
}
