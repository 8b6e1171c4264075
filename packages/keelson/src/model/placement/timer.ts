// [Timer] of systemd.timer(5), for timers that the cluster fires itself.
import {
  type Assignment,
  type CalendarSpec,
  expandSpecifiers,
  parseBoolean,
  parseCalendar,
  parseTimespan,
  SystemdError,
  type UnitFile,
  type UnitName,
} from "@keelson/systemd";
import { refuse } from "./option.ts";
import type { TimerRules } from "./rules.ts";

const section = "Timer";
/** No trigger lies further off. */
const longestMs = 10 * 365.25 * 86_400_000;
const usualAccuracyMs = 60_000;

const triggers = [
  "OnCalendar",
  "OnActiveSec",
  "OnBootSec",
  "OnStartupSec",
  "OnUnitActiveSec",
  "OnUnitInactiveSec",
  "OnClockChange",
  "OnTimezoneChange",
];

/**
 * `undefined` for a unit that is no timer.
 * @param name the instance's, for a template
 * @throws KeelError KEEL-102
 */
export function readTimer(file: UnitFile, { type, name }: UnitName): TimerRules | undefined {
  if (type !== "timer") return undefined;
  const set = sinceReset(file);
  const spans = (key: string): number[] =>
    set.filter((one) => one.key === key).map((one) => spanOf(file, one));
  const last = (key: string): Assignment | undefined => file.assignments(section, key).at(-1);
  const accuracy = last("AccuracySec");
  const delay = last("RandomizedDelaySec");
  return {
    unit: expanded(last("Unit")?.value ?? "", name) || undefined,
    calendars: set.filter(({ key }) => key === "OnCalendar").map((one) => calendarOf(file, one, name)),
    onActiveMs: spans("OnActiveSec"),
    onUnitActiveMs: spans("OnUnitActiveSec"),
    onUnitInactiveMs: spans("OnUnitInactiveSec"),
    ofMachine: [...new Set(set.map(({ key }) => key).filter(isOfMachine))],
    accuracyMs: accuracy?.value ? spanOf(file, accuracy) : usualAccuracyMs,
    randomDelayMs: delay?.value ? spanOf(file, delay) : 0,
    fixedDelay: isTrue(last("FixedRandomDelay")?.value),
    persistent: isTrue(last("Persistent")?.value),
  };
}

/** An empty assignment of any trigger forgets all before it. */
function sinceReset(file: UnitFile): Assignment[] {
  const all = file.assignments(section).filter(({ key }) => triggers.includes(key));
  const reset = all.findLastIndex(({ value }) => value === "");
  return all.slice(reset + 1);
}

function isOfMachine(key: string): boolean {
  return ["OnBootSec", "OnStartupSec", "OnClockChange", "OnTimezoneChange"].includes(key);
}

function calendarOf(file: UnitFile, { key, value, valuePosition }: Assignment, unit: string): CalendarSpec {
  try {
    return parseCalendar(expanded(value, unit));
  } catch (error) {
    if (!(error instanceof SystemdError)) throw error;
    return refuse(`${key}=: ${error.reason}`, { file, position: valuePosition });
  }
}

function spanOf(file: UnitFile, { key, value, valuePosition }: Assignment): number {
  try {
    const ms = parseTimespan(value) / 1000;
    if (ms <= longestMs) return ms;
  } catch (error) {
    if (!(error instanceof SystemdError)) throw error;
  }
  const hint = "Write it as systemd does: 10s, 2min, 1h 30min.";
  return refuse(`${key}=${value} is no time up to ten years`, { file, position: valuePosition, hint });
}

function expanded(value: string, unit: string): string {
  try {
    return expandSpecifiers(value, { unit });
  } catch (error) {
    if (error instanceof SystemdError) return value;
    throw error;
  }
}

function isTrue(value: string | undefined): boolean {
  try {
    return value !== undefined && value !== "" && parseBoolean(value);
  } catch (error) {
    if (error instanceof SystemdError) return false;
    throw error;
  }
}
