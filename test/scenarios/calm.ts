// What must hold when nothing has failed and nobody has asked for anything for a while. See invariants.ts.
import { allInstances, type Instance } from "../../packages/keelson/src/model/instances.ts";
import { prefixes, root } from "../../packages/keelson/src/model/keys.ts";
import { isOpen, openRollout, versionOf } from "../../packages/keelson/src/model/version-of.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

const stillMs = 20_000;

export function checkCalm(cluster: SimulatedCluster): void {
  oneLeader(cluster);
  for (const instance of allInstances(cluster.snapshot.units).values()) allThatFitsRuns(cluster, instance);
  nothingUnwantedRuns(cluster);
  statusesAreTrue(cluster);
  const underWay = [...cluster.snapshot.rollouts.values()].some(({ state }) => isOpen(state));
  if (!underWay && cluster.clock.now() - cluster.lastNewsMs < stillMs) {
    cluster.violated("calm-is-still", "something changed a moment ago");
  }
  cluster.insist();
}

/** After everything was destroyed and the time for undoing ended. */
export function checkEmpty(cluster: SimulatedCluster): void {
  const { machines, members, leader, operations, settings } = { ...prefixes, settings: `${root}settings/` };
  const stays = [machines, members, leader, operations, settings];
  for (const { key } of cluster.store.values) {
    if (!stays.some((prefix) => key.startsWith(prefix))) cluster.violated("nothing-is-left", key);
  }
  for (const { name, host } of cluster.machines.values()) {
    for (const unit of host.running) cluster.violated("nothing-is-left", `${unit} runs on ${name}`);
  }
  cluster.insist();
}

function oneLeader(cluster: SimulatedCluster): void {
  const leaders = [...cluster.machines.values()].filter(({ isLeading }) => isLeading);
  if (leaders.length !== 1) cluster.violated("one-leader", `${leaders.length} machines lead`);
  for (const [alarm] of cluster.snapshot.alarms) cluster.violated("one-leader", `the alarm ${alarm} stands`);
}

function allThatFitsRuns(cluster: SimulatedCluster, { name, desired, unit, restarts }: Instance): void {
  const { snapshot } = cluster;
  const on = cluster.where(name);
  if (desired !== "launched") {
    if (on.length > 0) cluster.violated("nothing-unwanted-runs", `${name} runs and is ${desired}`);
    return;
  }
  const isJob = [...snapshot.jobs.values()].some(({ instance }) => instance === name);
  if (isJob) return;
  const [reasons] = cluster.why(name);
  if (on.length === 0) {
    const fitting = reasons?.machines.filter(({ fits }) => fits) ?? [];
    const words = reasons?.machines.map((it) => `${it.name} ${it.reasons.join(", ")}`).join("; ");
    const waitsFor = reasons?.waitsFor ?? "";
    const isExplained = waitsFor.startsWith("no machine fits") ? fitting.length === 0 : isHeld(waitsFor);
    if (!isExplained)
      cluster.violated("all-that-fits-runs", `${name} runs nowhere: ${reasons?.waitsFor}: ${words}`);
    return;
  }
  for (const machine of on) {
    const id = cluster.machine(machine).host.machineId;
    const status = snapshot.statuses.get(id)?.get(name);
    const isGlobal = on.length > 1;
    const hash = versionOf(unit, { name, machine: isGlobal ? id : undefined }, snapshot);
    // Where a handover came to nothing, a rollout waits for a person, and the instance runs by its former file.
    const rollout = openRollout(unit, snapshot);
    const mayWait = rollout?.state === "paused" || rollout?.state === "aborted";
    const isOfVersion = status?.hash === hash || (mayWait && status?.hash === rollout.from);
    const isCurrent = status?.active === "active" && isOfVersion && status.restarts === restarts;
    if (!isCurrent)
      cluster.violated(
        "all-that-fits-runs",
        `${name} on ${machine}: ${JSON.stringify(status)}, wanted ${hash}`,
      );
  }
}

/** Whether it waits for another unit that does not run either, and that for a reason. */
const isHeld = (waitsFor: string): boolean =>
  /^(waits for|requires) .*(which (nobody|the cluster|has no|may not)|\((no machine fits|it waits|it requires))/.test(
    waitsFor,
  ) || waitsFor.startsWith("waits for itself");

function nothingUnwantedRuns(cluster: SimulatedCluster): void {
  const wanted = allInstances(cluster.snapshot.units);
  for (const { name, host } of cluster.machines.values()) {
    for (const unit of host.running)
      if (!wanted.has(unit)) cluster.violated("nothing-unwanted-runs", `${unit} runs on ${name}`);
  }
}

function statusesAreTrue(cluster: SimulatedCluster): void {
  const { statuses, schedule } = cluster.snapshot;
  for (const { name, host } of cluster.machines.values()) {
    const told = statuses.get(host.machineId) ?? new Map();
    const ordered = schedule.get(host.machineId) ?? new Map();
    const running = new Set(host.running);
    for (const [unit, { active }] of told) {
      if (!ordered.has(unit)) cluster.violated("statuses-are-true", `${name} tells of ${unit}, not its own`);
      const isUp = active !== "inactive" && active !== "failed";
      if (isUp !== running.has(unit)) cluster.violated("statuses-are-true", `${unit} on ${name}: ${active}`);
    }
    for (const unit of ordered.keys())
      if (!told.has(unit)) cluster.violated("statuses-are-true", `${name} does not tell of ${unit}`);
  }
}
