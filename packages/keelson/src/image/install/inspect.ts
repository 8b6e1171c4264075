// What a disk is, and what speaks against overwriting it.
import { constants } from "node:fs";
import { access, open, readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { tryCommand } from "../../local/command.ts";
import { formatBytes } from "../../local/progress.ts";
import { partitions } from "../../model/os-image.ts";
import { readTable, tableSpace } from "../disk/partition-table.ts";
import type { PartitionTable } from "../disk/partition-table.ts";
import { readFully } from "../disk/sparse-copy.ts";
import { leastDisk, unfinished } from "./layout.ts";

export interface DiskFacts {
  readonly path: string;
  readonly bytes: number;
  readonly sectorBytes: number;
  readonly model: string;
  /** What is mounted, swapped to, or part of something larger. No word overrides these. */
  readonly inUse: readonly string[];
  /** What is on it. Overridden by --force. */
  readonly holds: readonly string[];
  /** An installation was begun here and not finished: it may be overwritten. */
  readonly isUnfinished: boolean;
}

export interface InspectOptions {
  /** Where sysfs and proc are mounted; tests bring their own. */
  readonly sys?: string;
  readonly proc?: string;
}

/** Looks at a disk, or at a file that is to become one; reads only. KEEL-356 for what can be no target. */
export async function inspectDisk(path: string, options: InspectOptions = {}): Promise<DiskFacts> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new KeelError("KEEL-356", `${path} is not there`);
  const isDisk = info.isBlockDevice();
  if (!isDisk && !info.isFile()) throw new KeelError("KEEL-356", `${path} is no disk`);
  await access(path, constants.W_OK).catch((cause: unknown) => {
    throw new KeelError("KEEL-356", `${path} cannot be written`, { cause });
  });
  const name = basename(await realpath(path));
  const block = isDisk
    ? await blockFacts(name, { sys: options.sys ?? "/sys", proc: options.proc ?? "/proc" })
    : { bytes: info.size, sectorBytes: 512, model: "a file", nodes: [path], inUse: [] };
  if (block.bytes < leastDisk)
    throw new KeelError(
      "KEEL-356",
      `${path} has ${formatBytes(block.bytes)}, the system needs ${formatBytes(leastDisk)}`,
    );
  const content = await contentOf(path, block.bytes);
  const { bytes, sectorBytes, model, inUse, nodes } = block;
  const signatures = (await Promise.all(nodes.map(signaturesOf))).flat();
  const holds = [...new Set([...content.holds, ...signatures])];
  if (holds.length === 0 && content.hasData) holds.push("data of an unknown kind at its beginning");
  return { path, bytes, sectorBytes, model, inUse, holds, isUnfinished: content.isUnfinished };
}

/** Disks that an unattended installation may choose from: whole, fixed, large enough, empty. */
export async function emptyDisks(options: InspectOptions = {}): Promise<readonly DiskFacts[]> {
  const folder = join(options.sys ?? "/sys", "block");
  const found: DiskFacts[] = [];
  for (const name of (await readdir(folder)).toSorted()) {
    if (/^(loop|ram|zram|sr|fd|dm-|md|nbd)/.test(name)) continue;
    if ((await text(join(folder, name, "removable"))) === "1") continue;
    const facts = await inspectDisk(`/dev/${name}`, options).catch(() => undefined);
    if (facts === undefined || facts.inUse.length > 0) continue;
    if (facts.holds.length === 0 || facts.isUnfinished) found.push(facts);
  }
  return found;
}

/** Why the disk must not be overwritten, in words; empty when it may be. KEEL-355 is made of it. */
export function objections({ inUse, holds, isUnfinished }: DiskFacts, force: boolean): readonly string[] {
  return [...inUse, ...(force || isUnfinished ? [] : holds)];
}

async function text(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}

interface BlockFacts {
  readonly bytes: number;
  readonly sectorBytes: number;
  readonly model: string;
  /** The disk's device and its partitions'. */
  readonly nodes: readonly string[];
  readonly inUse: readonly string[];
}

async function blockFacts(
  name: string,
  { sys, proc }: { readonly sys: string; readonly proc: string },
): Promise<BlockFacts> {
  const folder = join(sys, "class/block", name);
  if ((await text(join(folder, "partition"))) !== "")
    throw new KeelError("KEEL-356", `/dev/${name} is a partition: the system takes a whole disk`);
  if ((await text(join(folder, "ro"))) === "1")
    throw new KeelError("KEEL-356", `/dev/${name} can only be read`);
  const inUse: string[] = [];
  const mounts = mountsOf(await text(join(proc, "self/mountinfo")));
  const swaps = (await text(join(proc, "swaps")))
    .split("\n")
    .slice(1)
    .map((line) => basename(line.split(/\s+/)[0] ?? ""));
  const own = [name, ...(await partitionsOf(folder))];
  for (const node of await withHolders(own, sys)) {
    const number = await text(join(sys, "class/block", node, "dev"));
    for (const place of mounts.get(number) ?? [])
      inUse.push(
        place === "/" ? `this system runs from it (${node} is /)` : `${node} is mounted on ${place}`,
      );
    if (swaps.includes(node)) inUse.push(`${node} is swap in use`);
    if (!own.includes(node)) inUse.push(`${await nameOf(node, sys)} is made of it`);
  }
  return {
    bytes: Number(await text(join(folder, "size"))) * 512,
    sectorBytes: Number(await text(join(folder, "queue/logical_block_size"))) || 512,
    model: (await text(join(folder, "device/model"))) || "unknown model",
    nodes: own.map((node) => `/dev/${node}`),
    inUse,
  };
}

async function partitionsOf(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const found: string[] = [];
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1)))
    if ((await text(join(folder, name, "partition"))) !== "") found.push(name);
  return found;
}

/** The nodes and all that is built upon them: device mapper, RAID. */
async function withHolders(nodes: readonly string[], sys: string): Promise<readonly string[]> {
  const all = new Set(nodes);
  for (const node of all) {
    for (const holder of await readdir(join(sys, "class/block", node, "holders")).catch(() => []))
      all.add(holder);
  }
  return [...all];
}

/** `keelson-root (dm-0)` for what has a name of its own. */
async function nameOf(node: string, sys: string): Promise<string> {
  const name = await text(join(sys, "class/block", node, "dm/name"));
  const level = await text(join(sys, "class/block", node, "md/level"));
  if (name !== "") return `${name} (${node})`;
  return level === "" ? node : `RAID ${node} (${level})`;
}

/** Mount points by device number, `8:1`. proc_pid_mountinfo(5) */
export function mountsOf(mountinfo: string): ReadonlyMap<string, readonly string[]> {
  const mounts = new Map<string, string[]>();
  for (const line of mountinfo.split("\n")) {
    const [, , number, , place] = line.split(" ");
    if (number === undefined || place === undefined) continue;
    const plain = place.replace(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    mounts.set(number, [...(mounts.get(number) ?? []), plain]);
  }
  return mounts;
}

interface Content {
  readonly holds: readonly string[];
  readonly hasData: boolean;
  readonly isUnfinished: boolean;
}

/** The partition table by our own eyes, and whether the first and the last MiB are empty. */
async function contentOf(path: string, bytes: number): Promise<Content> {
  const first = Buffer.alloc(1 << 20);
  const last = Buffer.alloc(1 << 20);
  const esp = Buffer.alloc(512);
  const file = await open(path, "r");
  let table: PartitionTable | undefined;
  try {
    await readFully(file, first, 0);
    await readFully(file, last, bytes - last.length);
    table = readTable(first.subarray(0, tableSpace(4096).head), bytes);
    const place = table?.partitions.find(({ label }) => label === partitions.esp);
    if (place !== undefined) await readFully(file, esp, place.offset);
  } finally {
    await file.close();
  }
  const labels = table?.partitions.map(
    ({ label, bytes: size }) => `${label || "no name"}, ${formatBytes(size)}`,
  );
  const hasData = !isZero(first) || !isZero(last);
  return {
    holds:
      labels === undefined
        ? []
        : [`a partition table with ${labels.length} partitions (${labels.join("; ")})`],
    hasData,
    isUnfinished: table !== undefined && isUnfinishedTable(table, esp),
  };
}

/** The labels become the right ones last but one; the ESP becomes a file system last. */
function isUnfinishedTable(table: PartitionTable, esp: Buffer): boolean {
  const labels = new Set(table.partitions.map(({ label }) => label));
  if (labels.size === 1 && labels.has(unfinished)) return true;
  return [partitions.esp, partitions.state].every((label) => labels.has(label)) && isZero(esp);
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

interface WipefsAnswer {
  readonly signatures?: readonly {
    readonly type?: string | null;
    readonly label?: string | null;
  }[];
}

/** What wipefs(8) finds: file systems, partition tables, members of LVM, RAID and LUKS. */
async function signaturesOf(node: string): Promise<readonly string[]> {
  const result = await tryCommand(["wipefs", "--no-act", "--json", node], { timeoutMs: 30_000 }).catch(
    () => undefined,
  );
  if (result === undefined || result.code !== 0 || result.stdout.trim() === "") return [];
  const { signatures = [] } = JSON.parse(result.stdout) as WipefsAnswer;
  return signatures.map(
    ({ type, label }) => `${type ?? "something"}${label ? ` “${label}”` : ""} on ${node}`,
  );
}
