// What a unit needs: systemd's own resource settings, and requests where those do not say enough.
import { parseSize, SystemdError, type UnitFile } from "@keelson/systemd";
import { refuse } from "./option.ts";
import type { ResourceRules } from "./rules.ts";
import { only, sizeOf } from "./value.ts";

const section = "X-Keelson";

/** The sections in which a file sets what the kernel holds its processes to; Quadlets hand [Service] on. */
const limiting = "Service";

/** @throws KeelError KEEL-102 for a request of Keelson's; systemd judges its own settings */
export function readResources(file: UnitFile): ResourceRules {
  return {
    memoryBytes: sizeOf(file, { section, key: "MemoryRequest" }) ?? memoryOf(file) ?? 0,
    cpus: cpuRequest(file) ?? quota(file) ?? 0,
    limits: [
      ...(has(file, ["MemoryMax", "MemoryHigh", "MemoryLow", "MemoryMin"]) ? (["memory"] as const) : []),
      ...(has(file, ["CPUQuota", "CPUWeight"]) ? (["cpu"] as const) : []),
      ...(has(file, ["TasksMax"]) ? (["pids"] as const) : []),
    ],
  };
}

const has = (file: UnitFile, keys: readonly string[]): boolean => keys.some((key) => file.has(limiting, key));

function cpuRequest(file: UnitFile): number | undefined {
  const given = only(file, { section, key: "CPURequest" });
  if (given === undefined) return undefined;
  const cpus = /^\d{1,5}(\.\d{1,3})?$/.test(given.value) ? Number(given.value) : Number.NaN;
  if (!Number.isNaN(cpus)) return cpus;
  const hint = "Write processors: 2, 0.5.";
  return refuse(`CPURequest=${given.value} is no number of processors`, {
    file,
    position: given.valuePosition,
    hint,
  });
}

/** What is kept for it, else what it may take at most. A share (`20%`) or `infinity` asks for nothing. */
function memoryOf(file: UnitFile): number | undefined {
  for (const key of ["MemoryMin", "MemoryLow", "MemoryMax"]) {
    const value = file.assignments(limiting, key).at(-1)?.value ?? "";
    const bytes = sizeOrNothing(value);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

function sizeOrNothing(value: string): number | undefined {
  try {
    const bytes = parseSize(value);
    return Number.isSafeInteger(bytes) ? bytes : undefined;
  } catch (error) {
    if (error instanceof SystemdError) return undefined;
    throw error;
  }
}

function quota(file: UnitFile): number | undefined {
  const value = file.assignments(limiting, "CPUQuota").at(-1)?.value ?? "";
  const match = /^(\d{1,7})(\.\d+)?%$/.exec(value);
  return match === null ? undefined : Number(value.slice(0, -1)) / 100;
}
