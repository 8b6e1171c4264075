// How the cluster is, on one screen: machines, units, alarms, what it could lose.
import type { SurvivabilityView } from "../api/wire/foretelling.ts";
import type { SnapshotView } from "../api/wire/snapshot.ts";
import { exitCode } from "../base/errors.ts";
import type { ExitCode } from "../base/errors.ts";
import type { Paint } from "./colour.ts";
import type { DaemonClient } from "./daemon/client.ts";
import { formatAge } from "./duration.ts";
import type { Invocation } from "./invocation.ts";
import { outOfServiceWord } from "./machine-words.ts";
import { count } from "./plan-text.ts";
import { alignColumns } from "./table.ts";

/** Most units that are named with their troubles. */
const mostNamed = 10;
const wellStates: readonly string[] = ["healthy", "loaded", "inactive", "running", "succeeded"];

/** Exit code 1 when a machine is lost, a unit is not as asked for, or an alarm stands. */
export async function showCluster(keel: Invocation, client: DaemonClient): Promise<ExitCode> {
  const [snapshot, survivability] = await Promise.all([client.snapshot(), client.survivability()]);
  const lost = snapshot.machines.filter(({ state }) => state === "lost");
  const unwell = snapshot.units.filter(({ state }) => !wellStates.includes(state));
  const { cluster, revision, leader, alarms } = snapshot;
  const machines = { total: snapshot.machines.length, lost: lost.map(({ name }) => name) };
  const units = { total: snapshot.units.length, unwell: unwell.map(({ name }) => name) };
  keel.output.document({ cluster, revision, leader, machines, units, alarms, survivability }, () =>
    clusterText({ snapshot, survivability, unwell }, keel.paint),
  );
  const isWell = lost.length === 0 && unwell.length === 0 && Object.keys(alarms).length === 0;
  return isWell ? exitCode.done : exitCode.failed;
}

interface ClusterFacts {
  readonly snapshot: SnapshotView;
  readonly survivability: SurvivabilityView;
  readonly unwell: SnapshotView["units"];
}

function clusterText({ snapshot, survivability, unwell }: ClusterFacts, paint: Paint): string {
  const { cluster, machines, units, alarms, leader } = snapshot;
  const lost = machines.filter(({ state }) => state === "lost").map(({ name }) => name);
  const rows = [
    ["cluster", paint("bold", cluster)],
    ["leader", leader === null ? paint("red", "nobody leads") : (leader.name ?? leader.machine)],
    [
      "machines",
      [
        lost.length === 0
          ? `${machines.length} up`
          : `${machines.length - lost.length} of ${machines.length} up`,
        ...outOfService(machines),
        ...(lost.length === 0 ? [] : [paint("red", `lost: ${lost.join(", ")}`)]),
      ].join("; "),
    ],
    [
      "units",
      unwell.length === 0
        ? `${units.length}, all as asked for`
        : `${units.length}, ${paint("red", `${unwell.length} not as asked for`)}`,
    ],
    ["losses", lossText(survivability, snapshot.at, paint)],
    ...Object.entries(alarms).map(([name, text]) => [paint("red", `alarm ${name}`), text]),
  ];
  const troubles = unwell
    .slice(0, mostNamed)
    .map(({ name, state, reason }) => [`  ${name}`, reason === "" ? state : `${state}: ${reason}`]);
  const more = unwell.length > mostNamed ? `  … and ${count(unwell.length - mostNamed, "more unit")}\n` : "";
  return `${alignColumns(rows)}${alignColumns(troubles)}${more}`;
}

/** `cordoned: m2`, `drained: m3`. */
function outOfService(machines: SnapshotView["machines"]): string[] {
  return (["cordoned", "draining", "drained"] as const).flatMap((word) => {
    const names = machines.filter((machine) => outOfServiceWord(machine) === word).map(({ name }) => name);
    return names.length === 0 ? [] : [`${word}: ${names.join(", ")}`];
  });
}

/** The badge: whether the cluster can lose any one machine. */
function lossText({ answer, isCurrent, at, words }: SurvivabilityView, now: number, paint: Paint): string {
  const text = answer === "no" ? paint("yellow", words) : words;
  if (isCurrent || at === null) return text;
  return `${text} (${formatAge(at, now)}; being worked out anew)`;
}
