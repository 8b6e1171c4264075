// What the leader orders, and what it does over a longer time.
import type { Job } from "../model/job.ts";
import type { MachineSettings } from "../model/machine-settings.ts";
import type { Machine } from "../model/machine.ts";
import type { Move } from "../model/move.ts";
import type { Rollout } from "../model/rollout.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import type { TimerRecord } from "../model/job.ts";
import type { Draft } from "./status-events.ts";

export function orderEvents(before: ScheduleEntry | undefined, after: ScheduleEntry | undefined): Draft[] {
  if (after === undefined) {
    return before === undefined || before.companion
      ? []
      : [{ kind: "withdrawn", at: undefined, text: "taken off" }];
  }
  if (after.companion) return [];
  if (before === undefined || before.companion)
    return [{ kind: "placed", at: after.placed, text: "placed", why: after.because }];
  const changes: string[] = [];
  if (before.hash !== after.hash) changes.push("take another file");
  if (before.restarts !== after.restarts) changes.push("restart");
  if (before.desired !== after.desired) changes.push(after.desired === "launched" ? "start" : "stop");
  if (changes.length === 0) return [];
  return [{ kind: "ordered", at: undefined, text: `told to ${changes.join(" and ")}` }];
}

export function rolloutEvents(before: Rollout | undefined, after: Rollout | undefined): Draft[] {
  if (after === undefined) return [];
  const isSame =
    before?.state === after.state &&
    before.operation === after.operation &&
    before.updated.length === after.updated.length;
  if (isSame) return [];
  const text = `rollout ${after.state}, ${after.updated.length} updated`;
  return [{ kind: "rollout", at: after.changed, text, why: after.reason }];
}

export function moveEvents(before: Move | undefined, after: Move | undefined): Draft[] {
  if (after === undefined || before?.at === after.at) return [];
  return [{ kind: "move", at: after.at, text: "is to move", why: after.because }];
}

export function jobEvents(before: Job | undefined, after: Job | undefined): Draft[] {
  const run = after?.runs.at(-1);
  if (run === undefined) return [];
  const last = before?.runs.find(({ number }) => number === run.number);
  if (last?.state === run.state && last.attempt === run.attempt) return [];
  const at = { waiting: run.asked, running: run.started, succeeded: run.ended, failed: run.ended }[run.state];
  const attempt = run.attempt > 1 ? `, attempt ${run.attempt}` : "";
  const text = `run ${run.number}${attempt} ${run.state}`;
  return [
    { kind: "job", at: at > 0 ? at : undefined, text, why: run.reason === "" ? run.cause : run.reason },
  ];
}

export function timerEvents(before: TimerRecord | undefined, after: TimerRecord | undefined): Draft[] {
  if (after === undefined || after.last === 0 || before?.last === after.last) return [];
  const { outcome, target, last } = after;
  const text = outcome.startsWith("started") ? "fired" : outcome;
  return [{ kind: "timer", at: last, text, why: `it starts ${target}` }];
}

export function machineEvents(before: Machine | undefined, after: Machine | undefined): Draft[] {
  if (after === undefined) {
    return before === undefined
      ? []
      : [{ kind: "machine", at: undefined, text: "does not report any more", why: "its lease is gone" }];
  }
  if (before === undefined)
    return [{ kind: "machine", at: undefined, notBefore: after.since, text: "reports" }];
  return before.bootId === after.bootId
    ? []
    : [{ kind: "machine", at: after.since, text: "has booted anew" }];
}

export function settingsEvents(
  before: MachineSettings | undefined,
  after: MachineSettings | undefined,
): Draft[] {
  const { drain } = after ?? {};
  if (drain !== undefined && drain.since !== before?.drain?.since)
    return [{ kind: "machine", at: drain.since, text: "is drained", why: drain.reason }];
  const isCordoned = after?.cordoned ?? false;
  if (isCordoned === (before?.cordoned ?? false)) return [];
  const text = isCordoned ? "is cordoned: it takes no new units" : "takes units again";
  return [{ kind: "machine", at: undefined, text }];
}
