// What is to be done about one unit: a pure function of its order and of how things stand. An order is carried
// out once: what becomes of the unit afterwards is systemd's business, and then that of health/.
import type { RunNote, UnitNote, UnitState, WrittenUnit } from "../host/host.ts";
import type { ScheduleEntry } from "../model/schedule.ts";

export type Step = "write" | "start" | "restart" | "await" | "stop" | "remove" | "note";

export interface ActualUnit {
  /** What the agent wrote; undefined when there is nothing. */
  readonly written: WrittenUnit | undefined;
  readonly state: UnitState;
}

/** Steps in their order; none when things stand as ordered. `order` is undefined for a unit that is to go. */
export function planSteps(order: ScheduleEntry | undefined, { written, state }: ActualUnit): Step[] {
  if (order === undefined) {
    if (written === undefined) return [];
    return needsStop(state) ? ["stop", "remove"] : ["remove"];
  }
  if (order.run !== undefined) return planAttempt(order, { written, state });
  const isCurrent = written?.hash === order.hash;
  if (isCurrent && isCarriedOut(order, written.note)) {
    return isFenced(order) === written.note.fenced ? [] : ["note"];
  }
  const write: Step[] = isCurrent ? [] : ["write"];
  if (order.companion) return [...write, "note"];
  if (order.desired !== "launched")
    return [...write, ...(needsStop(state) ? (["stop"] as const) : []), "note"];
  const mustRestart = !isCurrent || order.restarts > restartsOf(written?.note);
  if (!isRunning(state)) return [...write, "start", "note"];
  return mustRestart ? [...write, "restart", "note"] : ["note"];
}

/** An attempt is begun once. What has been begun is awaited, and never begun again. */
function planAttempt(order: ScheduleEntry, { written, state }: ActualUnit): Step[] {
  const run = written?.note.run;
  if (written === undefined || run === undefined || run.id !== order.run) {
    const write: Step[] = written?.hash === order.hash ? [] : ["write"];
    return [...write, needsStop(state) ? "restart" : "start"];
  }
  if (run.ended === undefined) return ["await"];
  return isFenced(order) === written.note.fenced ? [] : ["note"];
}

/** The note of an order that was carried out. */
export function noteOf(order: ScheduleEntry): UnitNote {
  const { hash, desired, restarts } = order;
  return { hash, desired, restarts, fenced: isFenced(order) };
}

/** The note of an attempt from its beginning on. Until it has ended the order is not carried out. */
export function attemptNote(order: ScheduleEntry, run: RunNote): UnitNote {
  return { ...noteOf(order), ...(run.ended === undefined && { hash: "" }), run };
}

/** The note of a unit whose file was just written: what still runs of it runs by an older one. */
export function openNote(order: ScheduleEntry): UnitNote {
  return { hash: "", desired: order.desired, restarts: -1, fenced: isFenced(order) };
}

/**
 * Whether the unit is stopped when the machine loses the store. One that is only loaded too: a socket, a timer or a
 * path may have started it.
 */
export function isFenced(order: ScheduleEntry): boolean {
  return order.onPartition === "stop" && !order.companion;
}

export function isRunning({ active }: Pick<UnitState, "active">): boolean {
  return ["active", "activating", "reloading", "refreshing"].includes(active);
}

/** Whether the order that was carried out last is this one. */
export function isCarriedOut(order: ScheduleEntry, note: UnitNote): boolean {
  return note.hash === order.hash && note.desired === order.desired && note.restarts === order.restarts;
}

const restartsOf = (note: UnitNote | undefined): number => note?.restarts ?? 0;

const needsStop = ({ load, active }: UnitState): boolean =>
  load !== "not-found" && active !== "inactive" && active !== "failed";
