// What checks have made of one start of a unit: pure. Times are on the monotonic clock.
import type { ProbeAnswer } from "../../host/host.ts";
import type { HealthRules } from "../../model/placement/rules.ts";

export interface HealthCourse {
  readonly startedMs: number;
  readonly state: "starting" | "healthy" | "unhealthy";
  /** Failures in a row that count. */
  readonly failures: number;
  /** A failure before this does not count. */
  readonly countsFromMs: number;
  /** The failure that the state speaks of; it stays as long as the state does. Empty when it is healthy. */
  readonly reason: string;
}

/** Between two looks at a unit that has just started, at first. */
const soonMs = 1000;

/**
 * A failure counts after the start period, and not before a whole interval; once it has been healthy every one does.
 * `known` is what was found out about this very start before.
 */
export function beginCourse(
  { startPeriodMs, intervalMs }: HealthRules,
  startedMs: number,
  known?: Pick<HealthCourse, "state" | "reason">,
): HealthCourse {
  const isStarting = known === undefined || known.state === "starting";
  const countsFromMs = isStarting ? startedMs + Math.max(startPeriodMs, intervalMs) : startedMs;
  return { startedMs, state: "starting", failures: 0, countsFromMs, reason: "", ...known };
}

/** One success makes it healthy and ends the start period; `retries` failures in a row make it unhealthy. */
export function continueCourse(
  course: HealthCourse,
  { retries, intervalMs }: HealthRules,
  { answer, nowMs }: { readonly answer: ProbeAnswer; readonly nowMs: number },
): HealthCourse {
  if (answer.ok) return { ...course, state: "healthy", failures: 0, countsFromMs: nowMs, reason: "" };
  if (course.state === "unhealthy") return course;
  const reason = course.state === "starting" && course.reason === "" ? answer.reason : course.reason;
  if (nowMs < course.countsFromMs) return { ...course, reason };
  const failures = course.failures + 1;
  // A unit that starts is looked at more often than failures count.
  const countsFromMs = nowMs + (course.state === "starting" ? 0.75 * intervalMs : 0);
  if (failures < retries) return { ...course, failures, countsFromMs, reason };
  const said = `${answer.reason} (${failures} of ${retries})`;
  return { ...course, state: "unhealthy", failures, countsFromMs, reason: said };
}

/** How long to wait before the next look; a start is followed closely, and less so the longer it takes. */
export function pauseOf(course: HealthCourse, { intervalMs }: HealthRules, nowMs: number): number {
  if (course.state !== "starting") return intervalMs;
  return Math.min(intervalMs, Math.max(soonMs, (nowMs - course.startedMs) / 4));
}
