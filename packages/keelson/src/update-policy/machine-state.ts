// What a machine is doing, and what a report makes of it. Reports come late, twice, or not at all: a state only ever
// moves forward within one grant, and the version that a machine says it runs is believed before any event.
import { stageOf } from "@keelson/omaha";
import type { OmahaEvent } from "@keelson/omaha";

export const machineStates = [
  /** Never asked since it became known. */
  "unknown",
  "current",
  "behind",
  "granted",
  "downloading",
  "downloaded",
  /** Written, waits for its restart. */
  "installed",
  /** Runs the new version and must stay well for a while. */
  "proving",
  "failed",
] as const;
export type MachineState = (typeof machineStates)[number];

/** Its number is its place here: what the columns of the fleet hold. */
export const stateNumber: Readonly<Record<MachineState, number>> = Object.fromEntries(
  machineStates.map((name, number) => [name, number]),
) as Record<MachineState, number>;

/** On the way from a grant to the end of it. */
export const isUnderWay = (state: MachineState): boolean => progress[state] > 0;

const progress: Readonly<Record<MachineState, number>> = {
  unknown: 0,
  current: 0,
  behind: 0,
  failed: 0,
  granted: 1,
  downloading: 2,
  downloaded: 3,
  installed: 4,
  proving: 5,
};

/** Whether a report of `to` says something new of a machine in `from`. */
export const isAdvance = (from: MachineState, to: MachineState): boolean =>
  progress[from] > 0 && progress[to] > progress[from];

/** What a report says. */
export type Reported =
  | { readonly kind: "advance"; readonly to: "downloading" | "downloaded" | "installed" }
  /** `fellBack`: it restarted into the old version. */
  | { readonly kind: "failure"; readonly code: number; readonly fellBack: boolean }
  /** It runs what its version says, which is all there is to it. */
  | { readonly kind: "arrival" }
  | { readonly kind: "nothing" };

/** update_engine's code for a machine that booted the old version again. */
const ROLLED_BACK = 44;
/** Without the four flags that say nothing of the cause. */
const CODE = 2 ** 28;

/** Reads an event of the protocol. */
export function readReport(event: OmahaEvent): Reported {
  switch (stageOf(event)) {
    case "downloading":
      return { kind: "advance", to: "downloading" };
    case "downloaded":
      return { kind: "advance", to: "downloaded" };
    case "applied":
    case "held":
      return { kind: "advance", to: "installed" };
    case "complete":
    case "unchanged":
      return { kind: "arrival" };
    case "failed": {
      const code = (event.errorCode ?? 0) >>> 0;
      return { kind: "failure", code, fellBack: code % CODE === ROLLED_BACK };
    }
    case "deferred":
    case "other":
      return { kind: "nothing" };
  }
}
