// Why a unit is not well, in words, from systemd's own fields.
import { constants } from "node:os";
import type { UnitState as SystemdUnitState } from "@keelson/systemd";

type Fields = Pick<
  SystemdUnitState,
  "load" | "active" | "sub" | "result" | "execMainCode" | "execMainStatus" | "loadError"
>;

/** Empty when the unit is well. */
export function failureReason(state: Fields): string {
  if (state.loadError !== undefined) return state.loadError;
  if (state.load === "masked") return "the unit is masked on this machine";
  if (state.load === "bad-setting") return "systemd refuses a setting of the unit file";
  if (state.sub === "auto-restart") return `restarting after it ended: ${byResult(state)}`;
  return state.active === "failed" ? byResult(state) : "";
}

function byResult({ result, execMainCode, execMainStatus }: Fields): string {
  const status = execMainStatus ?? 0;
  switch (result) {
    case "exit-code":
      return `exit status ${status}`;
    case "signal":
    case "core-dump":
      return execMainCode === "killed" || execMainCode === "dumped"
        ? `killed by ${signalName(status)}`
        : "killed by a signal";
    case "timeout":
      return "it did not start or stop in time";
    case "watchdog":
      return "its watchdog ran out";
    case "oom-kill":
      return "out of memory";
    case "start-limit-hit":
      return "restarted too often";
    case "resources":
      return "systemd could not set its resources up";
    case "protocol":
      return "it did not report that it started";
    case undefined:
    case "success":
      return "failed";
    default:
      return `failed: ${result}`;
  }
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}

/** What a job's result means for who asked for it; undefined when it did what was asked. */
export function jobProblem(result: string): string | undefined {
  switch (result) {
    case "done":
    case "skipped":
      return undefined;
    case "canceled":
      return "another job took its place";
    case "timeout":
      return "the job did not end in time";
    case "dependency":
      return "a unit that it needs could not be started";
    case "failed":
      return "failed";
    default:
      return `the job ended with ${result}`;
  }
}
