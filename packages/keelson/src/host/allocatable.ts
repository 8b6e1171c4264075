// What of a machine is there for units: what it has, less what the system and keeld need for themselves.
import type { Machine } from "../model/machine.ts";

/** What people say of a machine's size in keeld's configuration; what is left out is found out. */
export interface SizeSettings {
  /** No more than this is counted, where the kernel does not say that the machine has less. */
  readonly capacity?:
    | { readonly memoryBytes?: number | undefined; readonly cpus?: number | undefined }
    | undefined;
  /** Kept from units. */
  readonly reserve?:
    | { readonly memoryBytes?: number | undefined; readonly cpus?: number | undefined }
    | undefined;
}

const MiB = 2 ** 20;
/** systemd, journald, keeld and podman; a fiftieth more for the kernel's own tables, which grow with the memory. */
const reservedBytes = 256 * MiB;
const reservedShare = 1 / 50;

export function withinLimits(
  capacity: Machine["capacity"],
  { capacity: limits }: SizeSettings,
): Machine["capacity"] {
  return {
    ...capacity,
    cpus: Math.min(capacity.cpus, limits?.cpus ?? Infinity),
    memoryBytes: Math.min(capacity.memoryBytes, limits?.memoryBytes ?? Infinity),
  };
}

/** Never more than half of the memory is kept unless it is asked for; processors are shared, and none are kept. */
export function allocatableOf(
  { cpus, memoryBytes }: Machine["capacity"],
  { reserve }: SizeSettings,
): NonNullable<Machine["allocatable"]> {
  const usual = Math.min(memoryBytes / 2, reservedBytes + memoryBytes * reservedShare);
  return {
    cpus: Math.max(0, cpus - (reserve?.cpus ?? 0)),
    memoryBytes: Math.max(0, Math.floor(memoryBytes - (reserve?.memoryBytes ?? usual))),
  };
}
