// The disk that the running system was started from: its root is a dm-verity device over one of the slots, and the
// other partitions of that same disk are told by their labels. Another disk with the same labels is never touched.
import { mkdir, readFile, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KeelError, describeError } from "../../base/errors.ts";
import { runProgram } from "../../host/run-program.ts";
import { entryFolder, partitions } from "../../model/os-image.ts";
import type { SlotName } from "../../model/os-image.ts";
import { takeUpdateLock } from "../update-lock.ts";
import type { BootDisk, EntryFolder, SlotDevice } from "./boot-disk.ts";
import { openExtent } from "./block-file.ts";
import { openEntryFolder } from "./mounted-entries.ts";

/** Where the kernel shows itself; another place in tests. */
export interface KernelPaths {
  readonly sys: string;
  readonly proc: string;
  readonly dev: string;
  /** Where the ESP is mounted while it is needed. Only root may enter its parent. */
  readonly mountPoint: string;
}

export const kernelPaths: KernelPaths = {
  sys: "/sys",
  proc: "/proc",
  dev: "/dev",
  mountPoint: "/run/keelson/boot/esp",
};

/** FAT with what keeps its directories in order: each change of one is on the disk before the next begins. */
const mountOptions = "rw,dirsync,nodev,noexec,nosuid,umask=0077,errors=continue";
const mountTimeoutMs = 60_000;
/** Another command, or the boot gate, has the ESP for as long as a kernel takes to be written. */
const espWaitSeconds = 120;

interface Partition {
  readonly device: string;
  readonly bytes: number;
}

interface Layout {
  readonly active: SlotName;
  readonly slots: Readonly<Record<SlotName, Partition>>;
  readonly esp: Partition;
}

export class LinuxDisk implements BootDisk {
  readonly #paths: KernelPaths;

  constructor(paths: KernelPaths = kernelPaths) {
    this.#paths = paths;
  }

  commandLine(): Promise<string> {
    return readFile(join(this.#paths.proc, "cmdline"), "utf8");
  }

  async activeSlot(): Promise<SlotName> {
    return (await this.#layout()).active;
  }

  async openSlot(slot: SlotName, mode: "read" | "write"): Promise<SlotDevice> {
    const { active, slots } = await this.#layout();
    if (mode === "write" && slot === active)
      throw new KeelError("KEEL-802", `slot ${slot} runs and cannot be written`);
    const { device, bytes } = slots[slot];
    return openExtent({ path: device, offset: 0, bytes }, mode);
  }

  async withEntries<T>(task: (folder: EntryFolder) => Promise<T>): Promise<T> {
    const { esp } = await this.#layout();
    const { mountPoint } = this.#paths;
    await using _lock = await takeUpdateLock(`${mountPoint}.lock`, espWaitSeconds);
    await mkdir(mountPoint, { recursive: true, mode: 0o700 });
    await this.#unmountLeft();
    await runOrThrow(["mount", "-t", "vfat", "-o", mountOptions, esp.device, mountPoint], "mounting the ESP");
    let failed = true;
    try {
      const result = await task(await openEntryFolder(join(mountPoint, entryFolder)));
      failed = false;
      return result;
    } finally {
      const unmounting = runOrThrow(["umount", mountPoint], "unmounting the ESP");
      await (failed ? unmounting.catch(() => {}) : unmounting);
    }
  }

  /** A command that was killed leaves the ESP mounted. */
  async #unmountLeft(): Promise<void> {
    const { proc, mountPoint } = this.#paths;
    const mounts = await readFile(join(proc, "self/mounts"), "utf8");
    for (const line of mounts.split("\n"))
      if (line.split(" ")[1] === mountPoint) await runOrThrow(["umount", mountPoint], "unmounting the ESP");
  }

  async #layout(): Promise<Layout> {
    const running = await this.#runningPartition();
    const disk = dirname(await realpath(join(this.#paths.sys, "class/block", running)));
    const found = new Map<string, string>();
    for (const name of await readdir(disk)) {
      const label = await this.#label(join(disk, name));
      if (label === undefined) continue;
      if (found.has(label) && Object.values(labels).includes(label))
        throw new KeelError("KEEL-802", `${basename(disk)} has two partitions called ${label}`);
      found.set(label, name);
    }
    const active = (["a", "b"] as const).find((slot) => found.get(partitions.slots[slot]) === running);
    if (active === undefined)
      throw new KeelError("KEEL-801", `the root is on ${running}, which is no slot of Keelson’s`);
    const partition = async (label: string): Promise<Partition> => {
      const name = found.get(label);
      if (name === undefined)
        throw new KeelError("KEEL-802", `${basename(disk)} has no partition called ${label}`);
      const sectors = Number(await readFile(join(disk, name, "size"), "utf8"));
      return { device: join(this.#paths.dev, name), bytes: sectors * 512 };
    };
    const [a, b, esp] = await Promise.all([labels.a, labels.b, labels.esp].map(partition));
    if (a === undefined || b === undefined || esp === undefined)
      throw new Error("a partition without a label");
    return { active, slots: { a, b }, esp };
  }

  /** `vda2` of `/` on dm-verity over it. */
  async #runningPartition(): Promise<string> {
    const mounts = await readFile(join(this.#paths.proc, "self/mountinfo"), "utf8");
    const root = mounts
      .split("\n")
      .map((line) => line.split(" "))
      .findLast((fields) => fields[4] === "/");
    const number = root?.[2] ?? "";
    const slaves = await readdir(join(this.#paths.sys, "dev/block", number, "slaves")).catch(() => []);
    const [only, ...others] = slaves;
    if (only === undefined || others.length > 0)
      throw new KeelError("KEEL-801", "the root file system is not on a verified slot of Keelson’s");
    return only;
  }

  async #label(partition: string): Promise<string | undefined> {
    const text = await readFile(join(partition, "uevent"), "utf8").catch(() => "");
    return /^PARTNAME=(.+)$/m.exec(text)?.[1];
  }
}

const labels: Readonly<Record<SlotName | "esp", string>> = { ...partitions.slots, esp: partitions.esp };

async function runOrThrow(argv: readonly [string, ...string[]], what: string): Promise<void> {
  const result = await runProgram(argv, { timeoutMs: mountTimeoutMs }).catch((error: unknown) => {
    throw new KeelError("KEEL-802", `${what} failed: ${describeError(error)}`, { cause: error });
  });
  if (result.status !== 0)
    throw new KeelError("KEEL-802", `${what} failed: ${result.stderr.trim().slice(0, 300)}`);
}
