// What one run of a unit wrote: its last attempt, in the journal of the machine that it was on, also when the unit has
// been elsewhere since, or nowhere. It is found by its time there: the last lines of a process that ends at once lack
// the invocation, since journald looks the process up too late.
import { type JournalQuery, readJournal, SystemdError } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";
import type { JobView, RunView } from "../api/wire/job.ts";
import type { MachineView } from "../api/wire/machine.ts";
import type { DaemonClient } from "./daemon/client.ts";
import type { Invocation } from "./invocation.ts";
import type { PlacedEntry, Reach } from "./journal-sources.ts";
import { serviceOf, sshSpawner } from "./machine-access.ts";
import { resolveUnits } from "./unit-arguments.ts";

export interface RunJournal {
  readonly streams: readonly AsyncGenerator<PlacedEntry>[];
  readonly width: number;
}

export interface AskedRun {
  readonly words: readonly string[];
  /** The run's number, or `last`. */
  readonly which: string;
  readonly query: JournalQuery;
  readonly reach: Reach;
}

interface Found {
  readonly job: JobView;
  readonly run: RunView;
  readonly machine: MachineView;
}

/**
 * @throws KeelError KEEL-104, KEEL-501; KEEL-561 when there is no such run; KEEL-503 when its machine is not there
 */
export async function openRunJournal(
  keel: Invocation,
  client: DaemonClient,
  { words, which, query, reach }: AskedRun,
): Promise<RunJournal> {
  if (!/^(last|[1-9]\d{0,8})$/.test(which)) {
    throw new KeelError("KEEL-104", `--run ${which}: no run`, { hint: "--run 3, or --run last" });
  }
  const found = await findRuns(client, words, which);
  const streams = found.map((one) => entriesOf(one, { query, reach, client }, keel));
  const width = Math.max(...found.map(({ job, machine }) => machine.name.length + job.instance.length + 1));
  return { streams, width };
}

async function findRuns(client: DaemonClient, words: readonly string[], which: string): Promise<Found[]> {
  const snapshot = await client.snapshot();
  const names = new Set(resolveUnits(words, snapshot));
  const { jobs } = await client.jobs();
  const wanted = jobs.filter(({ instance, unit }) => names.has(instance) || names.has(unit));
  const runs = wanted.flatMap((job) => {
    const run = which === "last" ? job.runs[0] : job.runs.find(({ number }) => String(number) === which);
    return run === undefined ? [] : [{ job, run }];
  });
  const [name = ""] = names;
  if (runs.length === 0) {
    const what = which === "last" ? "no runs" : `no run ${which}`;
    throw new KeelError("KEEL-561", `${name} has ${what}`, {
      hint: `\`keel runs ${name}\` lists those that are kept.`,
    });
  }
  const found = runs.flatMap(({ job, run }) => {
    const machine = snapshot.machines.find(({ id, state }) => id === run.machine && state === "up");
    return machine === undefined || run.started === null ? [] : [{ job, run, machine }];
  });
  if (found.length > 0) return found;
  const where = runs[0]?.run.machineName;
  throw new KeelError(
    "KEEL-503",
    `${name}: ${where ?? "no machine"} cannot be asked for what the run wrote`,
    {
      hint:
        where == null
          ? "It has not begun on any machine."
          : `\`keel list-machines\` shows whether ${where} is there.`,
    },
  );
}

async function* entriesOf(
  { job, run, machine }: Found,
  { query, reach, client }: Pick<AskedRun, "query" | "reach"> & { readonly client: DaemonClient },
  keel: Invocation,
): AsyncGenerator<PlacedEntry> {
  const spawn = await sshSpawner(keel, machine, reach);
  const service = await serviceOf({ name: job.instance, unit: job.unit }, client);
  const wanted = { ...query, units: [service], ...timesOf(run, query) };
  try {
    for await (const entry of readJournal(wanted, { spawn, signal: keel.signal }))
      yield { ...entry, machine: machine.name, instance: job.instance };
  } catch (error) {
    if (!(error instanceof SystemdError) || error.code !== "journal-read") throw error;
    keel.progress.note(`warning: the journal of ${machine.name} cannot be read: ${error.reason}`);
  }
}

/** systemd tells of the end a moment after it. */
const afterEndMs = 200;

function timesOf({ started, ended }: RunView, { sinceUsec, untilUsec }: JournalQuery): JournalQuery {
  const from = Math.floor(started ?? 0) * 1000;
  const to = ended === null ? undefined : Math.ceil(ended + afterEndMs) * 1000;
  const until = to === undefined ? untilUsec : Math.min(to, untilUsec ?? Infinity);
  return { sinceUsec: Math.max(from, sinceUsec ?? 0), ...(until !== undefined && { untilUsec: until }) };
}
