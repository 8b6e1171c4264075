// How far the moves of an operation have come: drains and rebalancing. Pure, from the snapshot.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { PlannedMove } from "../model/forecast.ts";
import { instanceNamed } from "../model/instances.ts";
import type { Operation } from "../model/operation.ts";
import type { UnitStatus } from "../model/schedule.ts";
import type { ProgressFacts, ProgressItem } from "./progress-item.ts";

type Verdict = Pick<ProgressItem, "machine" | "state" | "reason">;

export function moveItems(
  operation: Operation,
  snapshot: ClusterSnapshot,
  facts: ProgressFacts,
): ProgressItem[] {
  const ms = Math.max(0, facts.nowMs - operation.at);
  return (operation.moves ?? []).map((move): ProgressItem => {
    const { instance } = move;
    const unit = instanceNamed(instance, snapshot.units)?.unit.name ?? instance;
    return { instance, unit, want: "moved", ms, ...judge(move, { operation, snapshot, facts }) };
  });
}

interface Scene {
  readonly operation: Operation;
  readonly snapshot: ClusterSnapshot;
  readonly facts: ProgressFacts;
}

function judge(move: PlannedMove, scene: Scene): Verdict {
  const { instance, from } = move;
  const { snapshot, facts, operation } = scene;
  const wanted = instanceNamed(instance, snapshot.units);
  const isOrdered = snapshot.schedule.get(from)?.get(instance)?.companion === false;
  const isThere = isOrdered || snapshot.statuses.get(from)?.has(instance) === true;
  const other = elsewhere(move, snapshot);
  const stays = facts.stays?.get(instance);
  if (isThere) {
    if (isOrdered && hasEnded(move, scene)) {
      return { machine: from, state: "failed", reason: "stays where it is: it is not to move any more" };
    }
    const isFinal = stays?.startsWith("fits nowhere else") === true && !isTimed(move, snapshot);
    const reason = stays ?? (isOrdered ? "waits for its turn" : `${nameOf(from, snapshot)} is stopping it`);
    return { machine: from, state: isFinal ? "failed" : "pending", reason };
  }
  if (wanted === undefined || wanted.desired === "inactive") return { machine: undefined, ...moved };
  if (other === undefined) {
    const waiting = facts.waiting.get(instance);
    // A global unit is on one machine less, and that is all.
    if (move.to === undefined && waiting === undefined) return { machine: undefined, ...moved };
    const reason = waiting?.reason ?? "waits for the leader";
    return { machine: undefined, state: waiting?.final === true ? "failed" : "pending", reason };
  }
  const { machine, status } = other;
  if (wanted.desired !== "launched" || (operation.kind === "drain" && move.to === undefined)) {
    return { machine, ...moved };
  }
  if (status === undefined)
    return { machine, state: "pending", reason: `waits for ${nameOf(machine, snapshot)}` };
  if (status.active === "failed" || status.health === "failed") {
    return {
      machine,
      state: "failed",
      reason: status.reason || `systemd reports it as failed (${status.sub})`,
    };
  }
  const isUp = status.active === "active" && (status.health === "healthy" || status.health === "unknown");
  const hasRun = status.active === "inactive" && status.steps["active"] !== undefined;
  if (isUp || hasRun) return { machine, ...moved };
  return { machine, state: "pending", reason: status.reason || `is ${status.active} (${status.sub})` };
}

const moved = { state: "ready", reason: "" } as const;

/** Whether a drain's deadline will still come. */
const isTimed = ({ from }: PlannedMove, { machineSettings }: ClusterSnapshot): boolean =>
  machineSettings.get(from)?.drain?.deadline !== undefined;

/** Nobody wants it elsewhere any more: the drain was taken back, the move given up. */
function hasEnded({ instance, from }: PlannedMove, { operation, snapshot }: Scene): boolean {
  if (operation.state === "applying") return false;
  if (operation.kind === "drain") return snapshot.machineSettings.get(from)?.drain === undefined;
  return snapshot.moves.get(instance)?.from !== from;
}

function elsewhere(
  { instance, from }: PlannedMove,
  { schedule, statuses }: ClusterSnapshot,
): { readonly machine: string; readonly status: UnitStatus | undefined } | undefined {
  for (const [machine, entries] of schedule) {
    if (machine === from || entries.get(instance)?.companion !== false) continue;
    return { machine, status: statuses.get(machine)?.get(instance) };
  }
  return undefined;
}

const nameOf = (id: string, { members }: ClusterSnapshot): string => members.get(id)?.name ?? id.slice(0, 8);
