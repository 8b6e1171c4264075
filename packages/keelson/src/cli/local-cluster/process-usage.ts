// What processes of a cluster use, read from the host's /proc: by their control group they belong to a
// machine, or to the host's own keeld.
import { readFile, readdir } from "node:fs/promises";

export interface ProcessUsage {
  readonly pid: number;
  readonly command: string;
  /** The machine's name; `host` for what runs on the host. */
  readonly place: string;
  /** systemd's unit within the machine; empty when there is none. */
  readonly unit: string;
  readonly rssBytes: number;
  /** Shared pages counted in parts: sums are right. */
  readonly pssBytes: number;
  /** Processor time so far, in milliseconds. */
  readonly cpuMs: number;
}

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Keelson runs on (USER_HZ). */
const ticksPerSecond = 100;

/** All processes of the cluster. */
export async function clusterProcesses(cluster: string): Promise<readonly ProcessUsage[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const usages = await Promise.all(pids.map((pid) => usageOf(Number(pid), cluster)));
  return usages.filter((usage) => usage !== undefined);
}

/** Where a process of the cluster belongs, from its /proc/PID/cgroup; undefined for any other process. */
export function placeOf(
  cgroup: string,
  cluster: string,
): { readonly place: string; readonly unit: string } | undefined {
  // cgroup2's line is the one that has the machine's own units in its path.
  const lines = cgroup
    .split("\n")
    .toSorted((a, b) => Number(b.startsWith("0::")) - Number(a.startsWith("0::")));
  for (const line of lines) {
    const path = line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1);
    const own = path.split("/");
    const at = own.findIndex((part, i) => part === cluster && own[i - 1] === "keelson");
    const scope =
      at >= 0
        ? own[at + 1]
        : own.find((part) => part.startsWith(`keelson.${cluster}.`))?.replace(`keelson.${cluster}.`, "");
    const match = /^(machine|host)\.(.+?)(?:\.service)?$/.exec(scope ?? "");
    if (!match) continue;
    const unit =
      own.findLast((part) => /\.(service|scope|socket|mount)$/.test(part) && !part.startsWith("keelson.")) ??
      "";
    return { place: match[1] === "host" ? "host" : (match[2] ?? ""), unit: unitIn(own, unit) };
  }
  return undefined;
}

/** The outermost service of the machine: containers have scopes of their own within their service. */
function unitIn(path: readonly string[], fallback: string): string {
  const slice = path.findIndex((part) => part === "system.slice");
  const inner = path
    .slice(slice + 1)
    .find((part) => part.endsWith(".service") && !part.startsWith("keelson."));
  return slice >= 0 ? (inner ?? fallback) : fallback;
}

async function usageOf(pid: number, cluster: string): Promise<ProcessUsage | undefined> {
  try {
    const place = placeOf(await readFile(`/proc/${pid}/cgroup`, "utf8"), cluster);
    if (place === undefined) return undefined;
    const [rollup, stat, cmdline] = await Promise.all(
      ["smaps_rollup", "stat", "cmdline"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8")),
    );
    const fields = (stat ?? "").slice((stat ?? "").lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return {
      pid,
      ...place,
      command: (cmdline ?? "").replaceAll("\0", " ").trim(),
      rssBytes: kilobytes(rollup ?? "", "Rss"),
      pssBytes: kilobytes(rollup ?? "", "Pss"),
      cpuMs: (ticks * 1000) / ticksPerSecond,
    };
  } catch {
    // It ended meanwhile, or is a kernel thread.
    return undefined;
  }
}

function kilobytes(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) * 1024;
}
