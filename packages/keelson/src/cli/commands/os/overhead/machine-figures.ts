// What this machine's system costs, measured here and now: its image, its boot, and what runs. A figure that cannot be
// had says why, and stops none of the others.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describeError } from "../../../../base/errors.ts";
import type { runProgram } from "../../../../host/run-program.ts";
import { kernelWords, parseBootEntry } from "../../../../model/os-image.ts";
import { stockFigures } from "../../../../image/stock.ts";
import type { StockFigure } from "../../../../image/stock.ts";
import type { BootDisk } from "../../../../updater/disk-slots/boot-disk.ts";
import { kernelWord } from "../../../../updater/disk-slots/kernel-image.ts";
import type { HistoryEvent } from "../../../../updater/records.ts";
import { imageBytes, parseVerity } from "../../../../updater/verify-system.ts";
import { listeningPorts } from "./listening.ts";
import { ownMemory, userProcesses, visitors } from "./processes.ts";

/** A number, and what it consists of where a person asks for that; or why there is none. */
export type Measured =
  | { readonly value: number; readonly parts?: readonly string[] }
  | { readonly missing: string };
export type MachineFigures = Readonly<Record<StockFigure, Measured>>;

export interface Surroundings {
  readonly version: string;
  /** The disk that the machine was started from. */
  readonly disk: Pick<BootDisk, "commandLine" | "withEntries">;
  /** Updates so far. */
  readonly history: () => Promise<readonly HistoryEvent[]>;
  /** Lists of the image: packages, and the kernel's modules. */
  readonly packages: string;
  readonly modules: string;
  readonly proc: string;
  /** False in a container: memory, and what the kernel did, are its host's. */
  readonly hasKernel: boolean;
  readonly pid: number;
  readonly run: typeof runProgram;
  readonly signal: AbortSignal;
}

/** One after the other, what the rest would change first. Rejects only when the signal aborts. */
export async function measureMachine(here: Surroundings): Promise<MachineFigures> {
  const found: Partial<Record<StockFigure, Measured>> = {};
  for (const name of order) {
    try {
      found[name] =
        here.hasKernel || !ofKernel.has(name)
          ? await measures[name](here)
          : { missing: "this machine is a container, and that is its host's" };
    } catch (error) {
      here.signal.throwIfAborted();
      found[name] = { missing: describeError(error) };
    }
  }
  return found as MachineFigures;
}

const measures: Readonly<Record<StockFigure, (here: Surroundings) => Promise<Measured>>> = {
  downloadBytes,
  rootBytes,
  kernelBytes,
  packages: (here) => linesOf(here.packages),
  kernelModules: (here) => linesOf(here.modules),
  setuidFiles,
  bootUnits,
  processes: async (here) => {
    const all = await userProcesses(here.proc);
    const guests = visitors(all, here.pid);
    return counted(all.filter(({ pid }) => !guests.has(pid)).map(({ name }) => name));
  },
  memoryUsedBytes: async (here) => {
    const { total, available } = await memory(here);
    return { value: total - available };
  },
  memoryAvailableBytes: async (here) => ({ value: (await memory(here)).available }),
  listeningPorts: async (here) => counted(await listeningPorts(here.proc)),
  bootKernelSeconds: async (here) => ({ value: (await bootSeconds(here)).kernel }),
  bootUserSeconds: async (here) => ({ value: (await bootSeconds(here)).user }),
};
const ofKernel: ReadonlySet<StockFigure> = new Set([
  "kernelModules",
  "memoryUsedBytes",
  "memoryAvailableBytes",
  "bootKernelSeconds",
]);
const order: readonly StockFigure[] = [
  "memoryUsedBytes",
  "memoryAvailableBytes",
  ...stockFigures.filter((name) => !name.startsWith("memory")),
];

function counted(parts: readonly string[]): Measured {
  return { value: parts.length, parts };
}

/** What the running version's update has fetched: an image does not know how large it is when it is packed. */
async function downloadBytes({ history, version }: Surroundings): Promise<Measured> {
  const staged = (await history()).findLast((event) => event.kind === "staged" && event.version === version);
  if (staged?.bytes === undefined)
    return { missing: "this version came with the disk, which does not say how large its release is" };
  if (staged.how === "full") return { value: staged.bytes };
  return {
    missing: `this version came as a difference from ${staged.from ?? "another"}: ${staged.bytes} bytes`,
  };
}

async function rootBytes({ disk }: Surroundings): Promise<Measured> {
  const word = kernelWord(await disk.commandLine(), kernelWords.verity);
  if (word === undefined) return { missing: "the kernel's command line names no root hash" };
  return { value: imageBytes(parseVerity(word)) };
}

async function kernelBytes({ disk, version }: Surroundings): Promise<Measured> {
  const files = await disk.withEntries((folder) => folder.list());
  const own = files.find(({ name }) => parseBootEntry(name)?.version === version);
  return own === undefined ? { missing: "the ESP has no kernel of this version" } : { value: own.bytes };
}

async function linesOf(path: string): Promise<Measured> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { missing: `the image brings no ${path}` };
  return { value: text.split("\n").filter((line) => line !== "").length };
}

/** Of the system; what images of containers hold is not run outside of them. */
async function setuidFiles({ run, signal }: Surroundings): Promise<Measured> {
  const { status, stdout, stderr } = await run(
    ["find", "/usr", "/etc", "-xdev", "-type", "f", "-perm", "/6000"],
    { signal },
  );
  if (status !== 0) return { missing: stderr.trim() };
  return counted(nonEmptyLines(stdout));
}

/** Whether a unit is one that does something, or waits for it: no group, no device, no login. */
export function isCountedUnit(name: string): boolean {
  return !/\.(?:slice|target|device|scope)$/.test(name);
}

async function bootUnits({ run, signal }: Surroundings): Promise<Measured> {
  const argv = ["systemctl", "list-units", "--state=active", "--plain", "--no-legend", "--no-pager"] as const;
  const { status, stdout, stderr } = await run([...argv], { signal });
  if (status !== 0) return { missing: stderr.trim() };
  const names = nonEmptyLines(stdout).map((line) => line.split(" ", 1)[0] ?? "");
  return counted(names.filter((name) => isCountedUnit(name)));
}

function nonEmptyLines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** As if nobody looked: what the login and this command hold counts as available. */
async function memory({ proc, pid }: Surroundings): Promise<{ total: number; available: number }> {
  const text = await readFile(join(proc, "meminfo"), "utf8");
  const field = (name: string): number => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
    if (found === undefined) throw new Error(`${proc}/meminfo does not name ${name}`);
    return Number(found) * 1024;
  };
  const guests = visitors(await userProcesses(proc), pid);
  const total = field("MemTotal");
  const available = field("MemAvailable") + (await ownMemory(proc, guests));
  return { total, available: Math.min(total, available) };
}

/** As systemd's clock tells it: from the kernel's start to systemd's, and from there until all was started. */
async function bootSeconds({ run, signal }: Surroundings): Promise<{ kernel: number; user: number }> {
  const names = ["UserspaceTimestampMonotonic", "FinishTimestampMonotonic"];
  const { stdout } = await run(["systemctl", "show", ...names.map((name) => `--property=${name}`)], {
    signal,
  });
  const [user = 0, finish = 0] = names.map((name) =>
    Number(new RegExp(`^${name}=(\\d+)$`, "m").exec(stdout)?.[1] ?? 0),
  );
  if (user === 0 || finish === 0) throw new Error("systemd has not started everything yet");
  return { kernel: user / 1e6, user: (finish - user) / 1e6 };
}
