// The one sentence: the worst problem first, or that all is well.
import type { Cluster, Machine, Unit } from "../api/records.ts";
import type { Tone } from "../element/state-mark.tsx";
import { isAsDesired } from "../unit/unit-words.ts";

export interface Headline {
  readonly tone: Tone;
  readonly sentence: string;
  /** What it means, or what to do; empty when nothing is to be said. */
  readonly detail: string;
}

export function headlineFor(cluster: Cluster): Headline {
  const { machines, units } = cluster;
  const lost = machines.filter(({ state }) => state === "lost");
  const healthy = healthyUnits(units);
  const [alarm] = Object.entries(cluster.alarms);
  if (alarm)
    return {
      tone: "bad",
      sentence: `${alarm[1].replace(/\.$/, "")}.`,
      detail: `Alarm: ${alarm[0]}. ${healthy}`,
    };
  if (cluster.leader === null && machines.length > 0) {
    return {
      tone: "bad",
      sentence: "No leader.",
      detail: "Running units keep running; nothing is placed or moved until a leader is elected.",
    };
  }
  if (lost.length > 0) return { tone: "bad", sentence: lostWords(lost, machines), detail: healthy };
  return unitTrouble(units) ?? allWell(machines, units);
}

function unitTrouble(units: readonly Unit[]): Headline | undefined {
  const looks = [
    { state: "failed", tone: "bad", words: "failed" },
    { state: "degraded", tone: "warn", words: "not as desired" },
    { state: "waiting", tone: "warn", words: "waiting for a machine" },
    { state: "starting", tone: "busy", words: "starting" },
  ] as const;
  for (const { state, tone, words } of looks) {
    const concerned = units.filter((unit) => unit.state === state);
    const [first] = concerned;
    if (!first) continue;
    const sentence =
      concerned.length === 1
        ? `${first.name} is ${words}.`.replace("is failed", "failed")
        : `${concerned.length} of ${count(units, "unit")} ${words}.`;
    return {
      tone,
      sentence,
      detail: joined(first.reason === "" ? "" : `${first.reason}.`, healthyUnits(units)),
    };
  }
  return undefined;
}

function allWell(machines: readonly Machine[], units: readonly Unit[]): Headline {
  if (machines.length === 0)
    return {
      tone: "mute",
      sentence: "No machines yet.",
      detail: "A machine appears here as soon as its keeld registers.",
    };
  const sentence =
    machines.length === 1 ? "The machine is healthy." : `All ${machines.length} machines healthy.`;
  if (units.length === 0)
    return {
      tone: "good",
      sentence: `${sentence} No units yet.`,
      detail: "Start your first unit: a line to copy for each way stands below.",
    };
  return { tone: "good", sentence: `${sentence} ${healthyUnits(units)}`, detail: "" };
}

function lostWords(lost: readonly Machine[], all: readonly Machine[]): string {
  const names = lost.length <= 3 ? `: ${lost.map(({ name }) => name).join(", ")}` : "";
  return `${lost.length} of ${count(all, "machine")} ${lost.length === 1 ? "is" : "are"} lost${names}.`;
}

function healthyUnits(units: readonly Unit[]): string {
  if (units.length === 0) return "";
  return `${units.filter(isAsDesired).length} of ${count(units, "unit")} as desired.`;
}

const count = (items: readonly unknown[], word: string): string =>
  `${items.length} ${word}${items.length === 1 ? "" : "s"}`;
const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== "").join(" ");
