// What a machine is, read from where Linux says it.
import { availableParallelism, hostname, release, totalmem } from "node:os";
import { KeelError } from "../base/errors.ts";
import { readIfThere } from "./atomic-file.ts";
import type { HostFacts } from "./host.ts";

/** Where the facts lie; elsewhere in tests. */
export interface FactSources {
  readonly machineId: string;
  readonly bootId: string;
  readonly osRelease: string;
  readonly controllers: string;
  /** The limits of the control group at whose root the machine stands; a container's. Absent on a host of its own. */
  readonly memoryLimits: readonly string[];
  readonly cpuLimit: string;
}

const sources: FactSources = {
  machineId: "/etc/machine-id",
  bootId: "/proc/sys/kernel/random/boot_id",
  osRelease: "/etc/os-release",
  controllers: "/sys/fs/cgroup/cgroup.controllers",
  memoryLimits: ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"],
  cpuLimit: "/sys/fs/cgroup/cpu.max",
};

/** Rejects with KEEL-106 when the machine has no machine id. */
export async function readFacts(from: FactSources = sources): Promise<HostFacts> {
  const machineId = (await readIfThere(from.machineId))?.trim() ?? "";
  if (!/^[0-9a-f]{32}$/.test(machineId)) {
    throw new KeelError("KEEL-106", `${from.machineId} holds no machine id`, {
      hint: "Make one with: systemd-machine-id-setup",
    });
  }
  const os = parseOsRelease((await readIfThere(from.osRelease)) ?? "");
  const limits = await Promise.all(from.memoryLimits.map(async (path) => (await readIfThere(path)) ?? ""));
  const bootId = (await readIfThere(from.bootId))?.trim() ?? "";
  return {
    machineId,
    bootId,
    hostname: hostname(),
    capacity: {
      cpus: Math.min(availableParallelism(), cpuLimit((await readIfThere(from.cpuLimit)) ?? "")),
      memoryBytes: Math.min(totalmem(), ...limits.map(memoryLimit)),
      unenforced: unenforcedLimits((await readIfThere(from.controllers)) ?? ""),
    },
    os: { id: os["ID"] ?? "linux", version: os["VERSION_ID"] ?? "", kernel: release() },
  };
}

/** The limits of units that this kernel does not enforce here: those without a cgroup2 controller. */
export function unenforcedLimits(controllers: string): string[] {
  const present = new Set(controllers.trim().split(/\s+/));
  return ["memory", "cpu", "pids"].filter((limit) => !present.has(limit));
}

/** memory.max of cgroup v2, or what v1 says: bytes, or no limit. */
export const memoryLimit = (text: string): number =>
  /^\d{1,19}$/.test(text.trim()) ? Number(text.trim()) : Infinity;

/** cpu.max of cgroup v2: microseconds of processor time, and of the period in which they may be used. */
export function cpuLimit(text: string): number {
  const match = /^(\d{1,15}) (\d{1,15})$/.exec(text.trim());
  return match === null || Number(match[2]) === 0 ? Infinity : Number(match[1]) / Number(match[2]);
}

/** os-release(5): assignments as a shell reads them; only quotes are looked at. */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))\s*$/.exec(line);
    if (match?.[1] !== undefined) fields[match[1]] = match[2] ?? match[3] ?? match[4] ?? "";
  }
  return fields;
}
