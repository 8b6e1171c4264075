// How far an operation has come: pure, from the snapshot. Who waits asks this after every change.
// Invariant: an item is ready only when systemd reports it so, of the file and the restart that were asked for.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { instancesOf, restartsOf } from "../model/instances.ts";
import type { Change, Operation } from "../model/operation.ts";
import type { Rollout } from "../model/rollout.ts";
import type { Unit } from "../model/unit.ts";
import { versionsOf } from "../model/version-of.ts";
import { judge, machineName } from "./instance-verdict.ts";
import type { Place } from "./instance-verdict.ts";
import { moveItems } from "./move-progress.ts";
import type { Progress, ProgressFacts, ProgressItem, RolloutProgress, Want } from "./progress-item.ts";
import { outsideTurn, rolloutKeys, rolloutProgress, rolloutsOf, versionWords } from "./rollout-progress.ts";
import type { OwnRollout } from "./rollout-progress.ts";
import { jobVerdicts, timerVerdicts } from "./run-progress.ts";
import { systemItems } from "./system-progress.ts";

/** What of an operation its progress hangs on. */
type Asked = Pick<Operation, "id" | "at" | "state"> & { readonly changes: readonly Change[] };

interface Scene {
  readonly operation: Asked;
  readonly snapshot: ClusterSnapshot;
  readonly facts: ProgressFacts;
  /** By instance, the machines that have an order or a status for it. */
  readonly places: ReadonlyMap<string, readonly Place[]>;
  /** By unit: rollouts that the operation began, as they are now; none that a later one has taken the place of. */
  readonly rollouts: ReadonlyMap<string, OwnRollout>;
}

/** What the operation has reached in this snapshot. */
export function progressOf(operation: Operation, snapshot: ClusterSnapshot, facts: ProgressFacts): Progress {
  const scene = sceneOf(operation, snapshot, facts);
  const items = [
    ...operation.changes.flatMap((change) => itemsOf(change, scene)),
    ...moveItems(operation, snapshot, facts),
    ...systemItems(operation, snapshot, facts.nowMs),
  ];
  const failed = items.filter(({ state }) => state === "failed").length;
  const rollouts = [...scene.rollouts.values()].map((own) => rolloutProgress(own, items, snapshot));
  const isMoving = rollouts.some(({ state }) => state === "running" || state === "reverting");
  const done = operation.state === "applied" && !isMoving && items.every(({ state }) => state !== "pending");
  const outcome = failed === 0 ? "succeeded" : failed === items.length ? "failed" : "partly";
  return { done, outcome: done ? outcome : "running", items, rollouts };
}

/** How far a rollout has come, whether or not its operation is still remembered. */
export function progressOfRollout(
  rollout: Rollout,
  snapshot: ClusterSnapshot,
  facts: ProgressFacts,
): RolloutProgress | undefined {
  const after = snapshot.units.get(rollout.unit);
  if (after === undefined) return undefined;
  const change: Change = { unit: rollout.unit, after };
  const asked: Asked = { id: rollout.operation, at: facts.nowMs, state: "applied", changes: [change] };
  const scene = sceneOf(asked, snapshot, facts);
  const own = scene.rollouts.get(rollout.unit);
  return own && rolloutProgress(own, itemsOf(change, scene), snapshot);
}

const sceneOf = (operation: Asked, snapshot: ClusterSnapshot, facts: ProgressFacts): Scene => ({
  operation,
  snapshot,
  facts,
  places: placesOf(snapshot),
  rollouts: rolloutsOf(operation, snapshot),
});

function placesOf(snapshot: ClusterSnapshot): Map<string, Place[]> {
  const places = new Map<string, Place[]>();
  const add = (unit: string, place: Place): void => {
    const known = places.get(unit);
    if (known === undefined) places.set(unit, [place]);
    else known.push(place);
  };
  for (const [machine, entries] of snapshot.schedule) {
    const statuses = snapshot.statuses.get(machine);
    for (const entry of entries.values()) {
      if (!entry.companion) add(entry.unit, { machine, entry, status: statuses?.get(entry.unit) });
    }
  }
  for (const [machine, statuses] of snapshot.statuses) {
    const entries = snapshot.schedule.get(machine);
    for (const status of statuses.values()) {
      if (!entries?.has(status.unit)) add(status.unit, { machine, entry: undefined, status });
    }
  }
  return places;
}

function itemsOf({ unit, before, after }: Change, scene: Scene): ProgressItem[] {
  const { operation, snapshot } = scene;
  const only = before && after && restartedReplicas(before, after);
  const all = after === undefined || after.desired === "inactive" ? [] : instances(after, snapshot);
  const wanted = only === undefined ? all : all.filter((name) => only.has(name));
  const gone =
    before === undefined || only !== undefined
      ? []
      : instances(before, snapshot).filter((name) => !wanted.includes(name));
  const now = snapshot.units.get(unit);
  const isWritten = after === undefined ? now === undefined : (now?.generation ?? 0) >= after.generation;
  if (!isWritten && operation.state === "applying") {
    const common = { unit, machine: undefined, state: "pending", reason: "not written yet" } as const;
    return [...wanted, ...gone].map((instance) => ({
      ...common,
      instance,
      want: wantOf(after, before),
      ms: age(scene),
    }));
  }
  const own = scene.rollouts.get(unit);
  if (now !== undefined && own?.rollout.state === "reverted") return returnedItems(now, own.rollout, scene);
  if (isOvertaken(after, now)) {
    const reason = "changed again since, by a later operation";
    const common = { unit, machine: undefined, state: "failed", reason, ms: age(scene) } as const;
    return [...wanted, ...gone].map((instance) => ({ ...common, instance, want: wantOf(after, before) }));
  }
  return [
    ...gone.flatMap((instance) => goneItems(instance, unit, scene)),
    ...(after === undefined || now === undefined
      ? []
      : wanted.flatMap((instance) =>
          wantedItems(instance, { unit: now, want: wantOf(after, before), own }, scene),
        )),
  ];
}

/** Names of the unit's instances; those that have a record of their own by now are that record's. */
const instances = (unit: Unit, { units }: ClusterSnapshot): string[] =>
  instancesOf(unit, units).map(({ name }) => name);

function wantOf(after: Unit | undefined, before: Unit | undefined): Want {
  if (after === undefined || after.desired === "inactive") return "gone";
  if (after.desired === "loaded") return "loaded";
  if (before?.desired !== "launched") return "active";
  const isRestart = after.restarts > before.restarts || restartedReplicas(before, after) !== undefined;
  return isRestart ? "restarted" : "active";
}

/** The instances that a change restarts, if it restarts some and not all, and does nothing else. */
function restartedReplicas(before: Unit, after: Unit): ReadonlySet<string> | undefined {
  if (isOvertaken(before, after) || after.restarts !== before.restarts) return undefined;
  const { replicaRestarts: then = {} } = before;
  const grown = Object.entries(after.replicaRestarts ?? {}).filter(
    ([name, count]) => count > (then[name] ?? 0),
  );
  return grown.length === 0 ? undefined : new Set(grown.map(([name]) => name));
}

function isOvertaken(after: Unit | undefined, now: Unit | undefined): boolean {
  if (after === undefined || now === undefined) return after !== now;
  return now.desired !== after.desired || now.hash !== after.hash || now.replicas !== after.replicas;
}

function goneItems(instance: string, unit: string, scene: Scene): ProgressItem[] {
  const places = scene.places.get(instance) ?? [];
  const common = { instance, unit, want: "gone", ms: age(scene) } as const;
  if (places.length === 0) return [{ ...common, machine: undefined, state: "ready", reason: "" }];
  return places.map(({ machine, entry, status }) => {
    const isLost = !scene.snapshot.machines.has(machine);
    const name = machineName(machine, scene.snapshot);
    if (isLost && entry === undefined) return { ...common, machine, state: "ready", reason: "" };
    const reason =
      entry !== undefined
        ? `${name} still has the order`
        : `${name} is stopping it (${status?.sub ?? "unknown"})`;
    return { ...common, machine, state: "pending", reason };
  });
}

function wantedItems(
  instance: string,
  { unit, want, own }: { readonly unit: Unit; readonly want: Want; readonly own?: OwnRollout | undefined },
  scene: Scene,
): ProgressItem[] {
  const others = withoutPlace(instance, { unit, want }, scene);
  if (others !== undefined) return others;
  const versions = versionsOf(unit, scene.snapshot);
  const ordered = (scene.places.get(instance) ?? []).filter(({ entry }) => entry !== undefined);
  const common = { instance, unit: unit.name, want };
  const waiting = scene.facts.waiting.get(instance);
  if (ordered.length === 0 || waiting?.final) {
    const state = waiting?.final ? "failed" : "pending";
    const machine = ordered[0]?.machine;
    const reason = waiting?.reason ?? "waits for the leader";
    const verdict = outsideTurn(own, [instance], scene.snapshot) ?? { state, reason };
    return [{ ...common, machine, ...verdict, ms: age(scene) }];
  }
  return ordered.map((place) => {
    const { state, reason } =
      outsideTurn(own, rolloutKeys(instance, place.machine), scene.snapshot) ??
      judge(
        place,
        { ...unit, hash: versions(instance, place.machine), restarts: restartsOf(unit, instance) },
        { ...scene, waiting: waiting?.reason },
      );
    const since = place.status?.since ?? scene.facts.nowMs;
    const ms = state === "ready" ? Math.max(0, since - scene.operation.at) : age(scene);
    return { ...common, machine: place.machine, state, reason, ms };
  });
}

/** Runs, and timers of the cluster: neither is where it is for good. `undefined` for everything else. */
function withoutPlace(
  instance: string,
  { unit, want }: { readonly unit: Unit; readonly want: Want },
  scene: Scene,
): ProgressItem[] | undefined {
  const { snapshot, facts } = scene;
  const { machines, members } = snapshot;
  const nameOf = (id: string): string => machines.get(id)?.name ?? members.get(id)?.name ?? id.slice(0, 8);
  const found =
    jobVerdicts(
      instance,
      { ...unit, restarts: restartsOf(unit, instance) },
      { snapshot, waiting: facts.waiting.get(instance), nameOf },
    ) ?? timerVerdicts(instance, unit, snapshot);
  return found?.map(({ machine, state, reason, at }) => {
    const ms = state === "pending" ? age(scene) : Math.max(0, at - scene.operation.at);
    return { instance, unit: unit.name, want, machine, state, reason, ms };
  });
}

/** All instances failed to become what the operation asked for, and are what they were before. */
function returnedItems(unit: Unit, rollout: Rollout, scene: Scene): ProgressItem[] {
  const reason = `went back to ${versionWords(rollout, scene.snapshot)}: ${rollout.reason}`;
  return instances(unit, scene.snapshot).flatMap((instance) =>
    wantedItems(instance, { unit, want: "active" }, scene).map((item) =>
      item.state === "ready" ? { ...item, state: "failed" as const, reason } : item,
    ),
  );
}

const age = ({ operation, facts }: Scene): number => Math.max(0, facts.nowMs - operation.at);
