// undo: takes an operation back, field by field. What was changed again since is in the way and is named;
// what others changed beside it stays. Undoing an undo does the operation again.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Change, Operation } from "../model/operation.ts";
import { type Move, moveSchema } from "../model/move.ts";
import { type RecordChange, sameRecord } from "../model/record-kinds.ts";
import { isOpenUpdate } from "../model/system-update.ts";
import type { Unit } from "../model/unit.ts";
import { aborted } from "./system-update.ts";
import { changed, type Draft, type PlanInput } from "./draft.ts";

/** Fields of a unit that people set. The others count, and count on. */
const fields = ["desired", "hash", "replicas", "owner"] as const;

/**
 * @param id of the operation; the latest that can be undone when left out
 * @throws KeelError KEEL-506 when there is none; KEEL-507 when something later is in the way
 */
export function planUndo(id: string | undefined, { snapshot, context }: PlanInput): Draft {
  const operation = id === undefined ? latest(snapshot, context.nowMs) : named(id, snapshot, context.nowMs);
  const { changes, records } = inverse(operation, snapshot, context.nowMs);
  return { changes, records, summary: `undo ${operation.id}: ${operation.summary}`, undoOf: operation.id };
}

/**
 * The changes that take the operation back as things stand.
 * @throws KeelError KEEL-507 with the later operation that is in the way, or when there is nothing to take back
 */
export function inverse(
  operation: Operation,
  snapshot: ClusterSnapshot,
  nowMs: number,
): { readonly changes: readonly Change[]; readonly records: readonly RecordChange[] } {
  if (isUndone(operation, snapshot)) {
    const by = undoneBy(operation, snapshot)?.id;
    throw new KeelError("KEEL-507", `${operation.id} was undone already, by ${by}.`, {
      hint: `keel undo ${by} does it again.`,
      details: { operation: operation.id, undoneBy: by },
    });
  }
  if (operation.state === "applying") {
    throw new KeelError("KEEL-507", `${operation.id} is still being carried out.`, {
      hint: "Try again in a moment.",
      details: { operation: operation.id },
    });
  }
  const changes = operation.changes.flatMap((change) => {
    const now = snapshot.units.get(change.unit);
    const back = invert(change, now, nowMs);
    if (back === "conflict") refuseConflict(operation, change.unit, snapshot);
    return back === undefined ? [] : [back];
  });
  const records = (operation.records ?? []).flatMap((change) => {
    if (change.kind === "system-update") return invertSystemUpdate(operation, snapshot, nowMs);
    const back = invertRecord(change, snapshot, nowMs);
    if (back === "conflict") refuseConflict(operation, change.name, snapshot);
    return back === undefined ? [] : [back];
  });
  if (changes.length + records.length > 0) return { changes, records };
  const why =
    operation.kind === "restart"
      ? "A restart cannot be taken back"
      : operation.kind === "rollout"
        ? "keel rollout pause, resume and abort are not undone"
        : operation.kind === "update-system"
          ? "It is over: keel os rollback takes machines back to the version before"
          : operation.kind === "system-update"
            ? "keel os pause, resume and abort are not undone"
            : "Nothing is left to take back";
  throw new KeelError("KEEL-507", `${why}: ${operation.id}, ${operation.summary}.`, {
    details: { operation: operation.id },
  });
}

/** Whether an undo of the operation stands, that is, was not undone itself. */
export function isUndone(operation: Operation, snapshot: ClusterSnapshot): boolean {
  const by = undoneBy(operation, snapshot);
  return by !== undefined && !isUndone(by, snapshot);
}

function undoneBy(operation: Operation, { operations }: ClusterSnapshot): Operation | undefined {
  let last: Operation | undefined;
  for (const candidate of operations.values()) {
    if (candidate.undoOf === operation.id && (last === undefined || candidate.id > last.id)) last = candidate;
  }
  return last;
}

function invert(change: Change, now: Unit | undefined, nowMs: number): Change | "conflict" | undefined {
  const { unit, before, after } = change;
  if (before === undefined) {
    if (now === undefined) return undefined;
    return after !== undefined && isSame(now, after) ? { unit, before: now } : "conflict";
  }
  if (after === undefined) {
    if (now === undefined) return { unit, after: changed(before, {}, nowMs) };
    return isSame(now, before) ? undefined : "conflict";
  }
  if (now === undefined) return "conflict";
  const back: Partial<Record<(typeof fields)[number], Unit[keyof Unit]>> = {};
  for (const field of fields) {
    if (before[field] === after[field] || now[field] === before[field]) continue;
    if (now[field] !== after[field]) return "conflict";
    back[field] = before[field];
  }
  if (Object.keys(back).length === 0) return undefined;
  return { unit, before: now, after: changed(now, back as Partial<Unit>, nowMs) };
}

/** Records that deciders write on have moved on by themselves and are not taken back. */
const undoable: ReadonlySet<RecordChange["kind"]> = new Set(["machine-settings", "cluster-settings"]);

function invertRecord(
  change: RecordChange,
  snapshot: ClusterSnapshot,
  nowMs: number,
): RecordChange | "conflict" | undefined {
  const { kind, name, before, after } = change;
  if (kind === "move") return invertMove(change, snapshot, nowMs);
  if (!undoable.has(kind)) return undefined;
  const now = kind === "cluster-settings" ? snapshot.settings : snapshot.machineSettings.get(name);
  if (sameRecord(now, before)) return undefined;
  return sameRecord(now, after) ? { kind, name, before: now, after: before } : "conflict";
}

/** An update that is not over is ended where it is; what has been updated stays so. */
function invertSystemUpdate(
  { id, kind }: Operation,
  snapshot: ClusterSnapshot,
  nowMs: number,
): readonly RecordChange[] {
  const update = snapshot.systemUpdate;
  if (kind !== "update-system" || update?.id !== id || !isOpenUpdate(update)) return [];
  return aborted(snapshot, update, { reason: "it was taken back", context: { nowMs } });
}

/** A move that has not begun is given up; one that is over goes back. */
function invertMove(
  { name, after }: RecordChange,
  { moves, schedule, members }: ClusterSnapshot,
  nowMs: number,
): RecordChange | undefined {
  const made = moveSchema.safeParse(after);
  const now = moves.get(name);
  if (now !== undefined) return sameRecord(now, after) ? { kind: "move", name, before: now } : undefined;
  if (!made.success) return undefined;
  const { from: to } = made.data;
  const at = [...schedule].filter(([, entries]) => entries.get(name)?.companion === false);
  const [from] = at.map(([machine]) => machine);
  if (from === undefined || at.length > 1 || from === to || !members.has(to)) return undefined;
  const back: Move = { instance: name, from, to, because: "the move here was undone", at: nowMs };
  return { kind: "move", name, after: back };
}

const isSame = (one: Unit, other: Unit): boolean => fields.every((field) => one[field] === other[field]);

function refuseConflict(operation: Operation, unit: string, { operations }: ClusterSnapshot): never {
  const later = [...operations.values()]
    .filter(({ id, changes, records = [] }) => {
      const touches =
        changes.some((change) => change.unit === unit) || records.some(({ name }) => name === unit);
      return id > operation.id && touches;
    })
    .sort((a, b) => (a.id < b.id ? 1 : -1))[0];
  const by = later === undefined ? "something that left no record" : `${later.id}, ${later.summary}`;
  throw new KeelError("KEEL-507", `${unit} was changed after ${operation.id}, by ${by}.`, {
    ...(later === undefined ? {} : { hint: `Undo ${later.id} first.` }),
    details: { operation: operation.id, unit, later: later?.id },
  });
}

function named(id: string, { operations }: ClusterSnapshot, nowMs: number): Operation {
  const exact = operations.get(id);
  const fitting = exact ? [exact] : [...operations.values()].filter((one) => one.id.startsWith(id));
  const operation = fitting[0];
  if (id === "" || operation === undefined || fitting.length > 1) {
    const why =
      fitting.length > 1 ? `${fitting.length} operations begin with ${id}` : `There is no operation ${id}`;
    throw new KeelError("KEEL-506", `${why}.`, { details: { operation: id } });
  }
  if (operation.expires <= nowMs) throw new KeelError("KEEL-506", `The time to undo ${id} is over.`);
  return operation;
}

function latest(snapshot: ClusterSnapshot, nowMs: number): Operation {
  const candidates = [...snapshot.operations.values()]
    .filter(({ changes, records = [], expires, undoOf, kind }) => {
      return (
        changes.length + records.length > 0 &&
        expires > nowMs &&
        undoOf === undefined &&
        kind !== "restart" &&
        kind !== "rollout" &&
        kind !== "system-update"
      );
    })
    .filter((operation) => !isUndone(operation, snapshot))
    .sort((a, b) => (a.id < b.id ? 1 : -1));
  if (candidates[0] === undefined) throw new KeelError("KEEL-506", "There is no operation to undo.");
  return candidates[0];
}
