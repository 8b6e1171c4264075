// A unit's status as the cluster sees it, put together from systemd's words, podman's, and the agent's own.
import type { ContainerFacts, RunNote, UnitState } from "../host/host.ts";
import type { healthStates, UnitStatus } from "../model/schedule.ts";
import { spanWords } from "../base/span.ts";
import type { HealthCourse } from "./health/course.ts";
import type { UnitFileFacts } from "./unit-file-facts.ts";

export interface StatusInput {
  readonly unit: string;
  /** Of the file that lies there; empty when none does. */
  readonly hash: string;
  readonly state: UnitState;
  readonly file: UnitFileFacts | undefined;
  readonly container: ContainerFacts | undefined;
  /** What the agent's own checks have made of it. */
  readonly course: HealthCourse | undefined;
  readonly failures: UnitStatus["failures"];
  /** Restarts that were carried out. */
  readonly restarts: number;
  /** What the agent itself has trouble with or waits for; empty when nothing. */
  readonly problem: string;
  /** The order cannot be carried out as things stand. */
  readonly isStuck: boolean;
  /** The last line of a failed unit. */
  readonly lastLine: string;
  /** The machine's address. */
  readonly address: string;
  readonly steps: Readonly<Record<string, number>>;
  /** The attempt that its order names, once it was begun. */
  readonly run: RunNote | undefined;
}

export function composeStatus(input: StatusInput): UnitStatus {
  const { unit, hash, state, restarts, steps, run, failures } = input;
  return {
    unit,
    hash,
    load: state.load,
    active: state.active,
    sub: state.sub,
    invocation: state.invocation || (run?.invocation ?? ""),
    health: healthOf(input),
    since: state.since,
    restarts,
    reason: reasonOf(input),
    addresses: addressesOf(input),
    steps: { ...steps },
    ...(run !== undefined && { run: run.id, ...endedOf(run) }),
    ...(failures === undefined ? {} : { failures }),
  };
}

function endedOf({ ended }: RunNote): Pick<UnitStatus, "ended"> {
  if (ended === undefined) return {};
  const { at, result, status, givenUp } = ended;
  return {
    ended: { at, result, ...(status !== undefined && { status }), ...(givenUp === true && { givenUp }) },
  };
}

function healthOf(input: StatusInput): (typeof healthStates)[number] {
  const { state, problem, isStuck } = input;
  if (isStuck || input.run?.ended?.result === "failed") return "failed";
  switch (state.active) {
    case "failed":
      return "failed";
    case "active":
      return checkedHealth(input);
    case "activating":
    case "reloading":
    case "refreshing":
      return "starting";
    case "inactive":
    case "deactivating":
      return problem !== "" || state.load !== "loaded" ? "unknown" : "stopped";
    default:
      return "unknown";
  }
}

/** As podman's check and the agent's own say; of two the worse. */
function checkedHealth({ file, container, course }: StatusInput): (typeof healthStates)[number] {
  const found = [
    ...(file?.hasHealthCheck === true ? [container?.health] : []),
    ...(file?.health === undefined ? [] : [course?.state]),
  ];
  if (found.includes("unhealthy")) return "unhealthy";
  return found.every((state) => state === "healthy") ? "healthy" : "starting";
}

function reasonOf(input: StatusInput): string {
  const { state, problem, lastLine, steps, failures, run } = input;
  if (problem !== "") return problem;
  if (run?.ended?.result === "failed") return run.ended.reason;
  const hasEnded = state.active === "inactive" && state.reason === "" && steps["active"] !== undefined;
  if (hasEnded) return "it ended by itself, without an error";
  const reason = state.reason !== "" ? state.reason : illness(input);
  if (reason === "") return "";
  const whole = lastLine === "" ? reason : `${reason}: ${lastLine}`;
  if (failures === undefined || failures.count < crashLoop || isStarting(input)) return whole;
  return `crash loop: failed ${failures.count} times in ${spanWords(failures.last - failures.since)}: ${whole}`;
}

/** So many failures, none of them long ago, are no accident. */
const crashLoop = 3;

function illness({ state, container, course }: StatusInput): string {
  if (state.active !== "active") return "";
  if (course?.state === "unhealthy") return course.reason;
  if (container?.health === "unhealthy") return "its health check fails";
  return course === undefined || course.reason === "" ? "" : `its check does not pass yet: ${course.reason}`;
}

const isStarting = ({ state, course }: StatusInput): boolean =>
  state.active === "active" && course?.state === "starting";

function addressesOf({ state, file, container, address }: StatusInput): string[] {
  if (state.active !== "active" || file === undefined) return [];
  const chosen = container?.published ?? [];
  const all = file.hasChosenPorts && chosen.length > 0 ? chosen : file.fixedPorts;
  return [...new Set(all.map((one) => `${one.address === "" ? address : one.address}:${one.port}`))];
}
