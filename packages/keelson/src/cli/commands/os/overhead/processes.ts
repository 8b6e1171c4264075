// The processes of this machine's user space, from /proc, without those that are there only because somebody looks:
// the command itself, and the login that it was typed in.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
}

/** The first process, and the kernel's own, whose child every kernel thread is. */
const first = 1;
const kernelThreads = 2;

/** Every process but the kernel's threads. Those that end meanwhile are left out. */
export async function userProcesses(proc: string): Promise<readonly Process[]> {
  const pids = (await readdir(proc)).filter((name) => /^\d{1,10}$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => parseStatus(await readFile(join(proc, pid, "status"), "utf8").catch(() => ""))),
  );
  return found.filter((one) => one !== undefined);
}

/** Undefined for a kernel thread, and for what is no /proc/PID/status. */
export function parseStatus(text: string): Process | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:\\s+(\\S.*)$`, "m").exec(text)?.[1];
  const [pid, parent] = [Number(field("Pid")), Number(field("PPid"))];
  if (!Number.isInteger(pid) || !Number.isInteger(parent)) return undefined;
  if (pid === kernelThreads || parent === kernelThreads) return undefined;
  return { pid, parent, name: field("Name") ?? "" };
}

/** Those that are there because process `own` is: what it comes from, up to the first process, and all below that. */
export function visitors(processes: readonly Process[], own: number): ReadonlySet<number> {
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  let top = own;
  for (let steps = 0; steps < processes.length; steps++) {
    const parent = byPid.get(top)?.parent;
    if (parent === undefined || parent <= first) break;
    top = parent;
  }
  const found = new Set([top]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of processes) {
      if (!found.has(parent) || found.has(pid)) continue;
      found.add(pid);
      grown = true;
    }
  }
  return found;
}

/** Memory of processes that goes with them: what is their own, and not of a file. Those that end count nothing. */
export async function ownMemory(proc: string, pids: Iterable<number>): Promise<number> {
  let bytes = 0;
  for (const pid of pids) {
    const text = await readFile(join(proc, String(pid), "smaps_rollup"), "utf8").catch(() => "");
    bytes += Number(/^Pss_Anon:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  }
  return bytes;
}
