// Control groups as files: where the hierarchies are, and what is done to one group as a whole.
// Source: https://docs.kernel.org/admin-guide/cgroup-v2.html
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KeelError } from "../base/errors.ts";

export interface Hierarchies {
  /** Where cgroup2 is mounted; undefined when it is not. */
  readonly unified: string | undefined;
  /** Where version 1 hierarchies are mounted that machines take part in: name=systemd, freezer, pids, cpu, memory. */
  readonly legacy: readonly string[];
  /** The controllers of cgroup2: memory, cpu, pids, … Empty on a host that has them on version 1. */
  readonly controllers: readonly string[];
}

const wanted = ["name=systemd", "freezer", "pids", "cpu", "cpuacct", "memory"];

/** Reads the mounts of /proc/self/mountinfo. Nothing is assumed about where they are. */
export function parseHierarchies(mountinfo: string): Omit<Hierarchies, "controllers"> {
  let unified: string | undefined;
  const legacy: string[] = [];
  for (const line of mountinfo.split("\n")) {
    const [left, right] = line.split(" - ");
    const path = left?.split(" ")[4];
    const [kind, , options] = right?.split(" ") ?? [];
    if (path === undefined || kind === undefined || options === undefined) continue;
    if (kind === "cgroup2") unified ??= path;
    if (kind === "cgroup" && options.split(",").some((option) => wanted.includes(option))) legacy.push(path);
  }
  return { unified, legacy };
}

export function findHierarchies(): Hierarchies {
  const found = parseHierarchies(readFileSync("/proc/self/mountinfo", "utf8"));
  const list = found.unified === undefined ? undefined : join(found.unified, "cgroup.controllers");
  const controllers =
    list !== undefined && existsSync(list) ? readFileSync(list, "utf8").trim().split(/\s+/) : [];
  return { ...found, controllers: controllers.filter((name) => name !== "") };
}

/** Makes the group in cgroup2 and every version 1 hierarchy, with all controllers that can be handed down. */
export async function makeGroup(hierarchies: Hierarchies, path: string): Promise<string[]> {
  const folders = [];
  for (const mount of groupMounts(hierarchies)) {
    const folder = join(mount, path);
    await mkdir(folder, { recursive: true });
    folders.push(folder);
  }
  if (hierarchies.unified !== undefined) await handDown(hierarchies, path);
  return folders;
}

function groupMounts({ unified, legacy }: Hierarchies): string[] {
  return unified === undefined ? [...legacy] : [unified, ...legacy];
}

async function handDown({ unified = "", controllers }: Hierarchies, path: string): Promise<void> {
  let folder = unified;
  for (const part of path.split("/")) {
    for (const name of controllers) {
      // A controller that cannot be handed down is reported by preflight and limits nothing.
      await writeFile(join(folder, "cgroup.subtree_control"), `+${name}`).catch(() => {});
    }
    folder = join(folder, part);
  }
}

/** Limits the group's memory where the host can; returns whether it could. */
export async function limitMemory(hierarchies: Hierarchies, path: string, bytes: number): Promise<boolean> {
  const files = groupMounts(hierarchies).flatMap((mount) => [
    join(mount, path, "memory.max"),
    join(mount, path, "memory.limit_in_bytes"),
  ]);
  const file = files.find((candidate) => existsSync(candidate));
  if (file === undefined) return false;
  await writeFile(file, String(bytes));
  return true;
}

/** Deletes the empty group and all below it in every hierarchy. What still has processes stays. */
export async function removeGroup(hierarchies: Hierarchies, path: string): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    let left = 0;
    for (const mount of groupMounts(hierarchies)) left += (await removeFolders(join(mount, path))) ? 0 : 1;
    if (left === 0) return;
    await sleep(20 * (attempt + 1));
  }
}

async function removeFolders(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return true;
  for (const entry of entries) if (entry.isDirectory()) await removeFolders(join(folder, entry.name));
  try {
    await rmdir(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}

/** Kills everything in the group at once, frozen or not, and waits until nothing is left. */
export async function killGroup(folder: string, timeoutMs = 10_000): Promise<void> {
  if (!existsSync(folder)) return;
  await writeFile(join(folder, "cgroup.kill"), "1").catch(ignoreMissing);
  if (!(await waitUntilEmpty(folder, timeoutMs))) {
    throw new KeelError(
      "KEEL-303",
      `processes in ${folder} could not be killed within ${timeoutMs / 1000} s`,
    );
  }
}

/** Whether the group became empty in time. */
export async function waitUntilEmpty(
  folder: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (await isPopulated(folder)) {
    if (performance.now() > end) return false;
    await sleep(5, undefined, signal === undefined ? {} : { signal });
  }
  return true;
}

export async function isPopulated(folder: string): Promise<boolean> {
  return /^populated 1$/m.test(await readEvents(folder));
}

export async function isFrozen(folder: string): Promise<boolean> {
  return /^frozen 1$/m.test(await readEvents(folder));
}

/** Freezes or thaws the group with all below it, and waits until it is so. */
export async function setFrozen(folder: string, frozen: boolean): Promise<void> {
  await writeFile(join(folder, "cgroup.freeze"), frozen ? "1" : "0");
  const end = performance.now() + 5000;
  while ((await isFrozen(folder)) !== frozen) {
    if (performance.now() > end)
      throw new KeelError("KEEL-303", `${folder} does not ${frozen ? "freeze" : "thaw"}`);
    await sleep(2);
  }
}

/** The processes of the group and of all groups below it. */
export async function groupProcesses(folder: string): Promise<number[]> {
  const text = await readFile(join(folder, "cgroup.procs"), "utf8").catch(() => "");
  const own = text.split("\n").filter(Boolean).map(Number);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => groupProcesses(join(folder, entry.name)));
  return [...own, ...(await Promise.all(below)).flat()];
}

async function readEvents(folder: string): Promise<string> {
  return readFile(join(folder, "cgroup.events"), "utf8").catch(() => "");
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT" && error.code !== "ENODEV") throw error;
}
