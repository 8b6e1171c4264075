// What firmware, boot loader and first process do on a disk, for a machine made of folders: chooses an entry as
// systemd-boot does and counts its try, finds the slot that the entry's kernel names, and lays out its files. Blocks
// are not verified: what changes a slot here is the host.
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { runProgram } from "../../host/run-program.ts";
import { bootEntryName, entryFolder, kernelWords, parseBootEntry, treeDisk } from "../../model/os-image.ts";
import type { BootEntry, SlotName } from "../../model/os-image.ts";
import { compareEntries } from "../boot-order.ts";
import { erofsHeadBytes, readErofsUuid } from "../disk-slots/erofs.ts";
import { kernelWord, readKernelCommandLine } from "../disk-slots/kernel-image.ts";

export interface TreeBoot {
  readonly slot: SlotName;
  readonly version: string;
  readonly variant: string;
  readonly uuid: string;
  /** The entry's name after its try was counted. */
  readonly entry: string;
  /** The folder with the slot's files. */
  readonly files: string;
}

/** Lays the files of an image out in a folder that does not exist yet. */
export type Unpack = (image: string, folder: string) => Promise<void>;

/** A start that finds no slot is counted and made again, as a machine would restart. */
const mostStarts = 20;

/**
 * Chooses what starts and prepares it. `folder` holds what {@link treeDisk} names, and `files-a`, `files-b`.
 * Rejects with KEEL-802 when nothing starts.
 */
export async function startTree(folder: string, unpack: Unpack): Promise<TreeBoot> {
  for (let start = 0; start < mostStarts; start++) {
    const entries = await menu(join(folder, treeDisk.esp, entryFolder));
    const [chosen] = entries.toSorted((one, other) => compareEntries(one.entry, other.entry));
    if (chosen === undefined) throw new KeelError("KEEL-802", "the boot menu is empty");
    const entry = await countTry(join(folder, treeDisk.esp, entryFolder), chosen);
    const slot = await slotOf(folder, chosen.uuid);
    if (slot !== undefined) return await layOut(folder, { ...chosen, name: entry, slot }, unpack);
    // A good entry that does not start would not start the next time, either.
    if (chosen.entry.tries === undefined || chosen.entry.tries.left === 0) break;
  }
  throw new KeelError("KEEL-802", "no entry of the boot menu has a slot that it starts from");
}

interface Choice {
  readonly name: string;
  readonly entry: BootEntry;
  readonly commandLine: string;
  readonly uuid: string;
}

/** What cannot be read as a kernel is no entry. */
async function menu(folder: string): Promise<readonly Choice[]> {
  const found: Choice[] = [];
  for (const name of await readdir(folder)) {
    const entry = parseBootEntry(name);
    if (entry === undefined) continue;
    await using file = await open(join(folder, name));
    const commandLine = await readKernelCommandLine(async (position, length) => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    });
    if (commandLine === undefined) continue;
    const uuid = kernelWord(commandLine, kernelWords.root)?.toLowerCase() ?? "";
    found.push({ name, entry, commandLine, uuid });
  }
  return found;
}

/** Returns the name that the entry has then. */
async function countTry(folder: string, { name, entry }: Choice): Promise<string> {
  const { tries, version } = entry;
  if (tries === undefined || tries.left === 0) return name;
  const counted = bootEntryName({ version, tries: { left: tries.left - 1, done: tries.done + 1 } });
  await rename(join(folder, name), join(folder, counted));
  return counted;
}

async function slotOf(folder: string, uuid: string): Promise<SlotName | undefined> {
  for (const slot of ["a", "b"] as const) {
    await using file = await open(join(folder, treeDisk.slots[slot])).catch(() => undefined);
    if (file === undefined) continue;
    const head = Buffer.alloc(erofsHeadBytes);
    await file.read(head, 0, head.byteLength, 0);
    if (readErofsUuid(head) === uuid) return slot;
  }
  return undefined;
}

async function layOut(
  folder: string,
  { name: entry, uuid, slot, commandLine }: Choice & { readonly slot: SlotName },
  unpack: Unpack,
): Promise<TreeBoot> {
  const files = join(folder, `files-${slot}`);
  const mark = join(folder, `files-${slot}.uuid`);
  const unpacked = await readFile(mark, "utf8").catch(() => "");
  if (unpacked !== uuid) {
    await rm(mark, { force: true });
    await rm(files, { recursive: true, force: true });
    await unpack(join(folder, treeDisk.slots[slot]), files);
    await writeFile(mark, uuid);
  }
  await writeFile(join(folder, treeDisk.commandLine), `${commandLine}\n`);
  await writeFile(join(folder, treeDisk.active), `${slot}\n`);
  const version = kernelWord(commandLine, kernelWords.version) ?? "";
  const variant = kernelWord(commandLine, kernelWords.variant) ?? "";
  return { slot, version, variant, uuid, entry, files };
}

/** With fsck.erofs, as `argv` calls it; `IMAGE` and `FOLDER` in it are replaced. */
export function unpackWith(argv: readonly string[]): Unpack {
  return async (image, folder) => {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const [program = "", ...words] = argv.map((word) =>
      word.replaceAll("IMAGE", image).replaceAll("FOLDER", folder),
    );
    const { status, stderr, stdout } = await runProgram([program, ...words], { timeoutMs: 300_000 });
    if (status === 0) return;
    const said = (stderr || stdout).trim().split("\n").slice(-3).join("; ").slice(0, 500);
    throw new KeelError("KEEL-802", `${image} cannot be unpacked: ${said}`);
  };
}
