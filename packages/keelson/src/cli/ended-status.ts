// What `keel status` says of what systemd knows nothing of: runs that are over, and timers that the leader fires.
import type { InstanceView } from "../api/wire/instance.ts";
import type { JobView, RunView } from "../api/wire/job.ts";
import type { SnapshotView } from "../api/wire/snapshot.ts";
import type { UnitView } from "../api/wire/unit.ts";
import type { DaemonClient } from "./daemon/client.ts";
import { formatAge, formatDuration, formatMoment } from "./duration.ts";

export interface StatusWords {
  /** Whether it is as it should be. */
  readonly isWell: boolean;
  /** Why it is not, unless the text says so. */
  readonly reason: string;
  readonly text: string;
}

/** Tells for each instance what is to be said instead of systemd's status; undefined where systemd is to be asked. */
export async function statusWithoutSystemd(
  instances: readonly InstanceView[],
  snapshot: SnapshotView,
  client: Pick<DaemonClient, "jobs">,
): Promise<(instance: InstanceView) => StatusWords | undefined> {
  const mayHaveEnded = instances.some(({ state }) => state === "succeeded" || state === "failed");
  const jobs = mayHaveEnded ? (await client.jobs()).jobs : [];
  return (instance) => {
    const timer = snapshot.units.find(({ name }) => name === instance.unit)?.timer;
    if (timer) return timerWords(timer, instance.reason, snapshot.at);
    if (instance.state !== "succeeded" && instance.state !== "failed") return undefined;
    const run = jobOf(instance, jobs)?.runs[0];
    return run === undefined || run.ended === null ? undefined : runWords(instance.name, run, snapshot.at);
  };
}

const jobOf = ({ name, machine }: InstanceView, jobs: readonly JobView[]): JobView | undefined =>
  jobs.find((job) => job.instance === name && (job.machine === null || job.machine === machine));

function runWords(name: string, run: RunView, now: number): StatusWords {
  const { number, attempt, state, started, ended, cause, reason, machineName } = run;
  const took = started === null || ended === null ? "" : `, took ${formatDuration(ended - started)}`;
  const lines = [
    `${state === "failed" ? "×" : "○"} run ${number}${attempt > 1 ? `, attempt ${attempt},` : ""} ${state}`,
    ...(machineName === null ? [] : [` on ${machineName}`]),
    ...(ended === null ? [] : [` ${formatAge(ended, now)}`]),
    `${took} (${cause})`,
    ...(reason === "" ? [] : [`: ${reason}`]),
  ];
  const look = `\`keel runs ${name}\` lists its runs, \`keel journal --run last ${name}\` shows what it wrote`;
  return { isWell: state === "succeeded", reason: "", text: `${lines.join("")}\n  ${look}\n` };
}

function timerWords(timer: NonNullable<UnitView["timer"]>, reason: string, now: number): StatusWords {
  const { next, last, outcome } = timer;
  const fires =
    next > 0 ? `fires at ${formatMoment(next)}, in ${formatDuration(Math.max(0, next - now))}` : "";
  const before = last > 0 ? `last ${formatAge(last, now)}: ${outcome}` : "has not fired yet";
  const words = [reason === "" ? fires : "", before].filter((part) => part !== "").join("; ");
  return { isWell: reason === "", reason, text: `${reason === "" ? "●" : "×"} ${words}\n` };
}
