// Two slots of a disk and the kernels that start them. Invariants: nothing that belongs to the running version is
// written or removed but by condemn, and by activate for an older version; until activate renames, nothing that
// starts next has changed.
//
// FAT knows no atomic rename: the new name is there before the old one goes, and a power cut between leaves two names
// for the same bytes. So names of one version are only ever removed together, and a temporary name that shares its
// version with an entry is left alone until that version goes.
import { createHash } from "node:crypto";
import { KeelError } from "../../base/errors.ts";
import { bootEntryName, bootTries, kernelWords, parseBootEntry } from "../../model/os-image.ts";
import type { BootEntry, SlotName } from "../../model/os-image.ts";
import { compareVersions } from "../../releases/words.ts";
import type { BootSlots, RootWriter, SlotEntry, SlotReader, SlotState } from "../boot-slots.ts";
import { alignedBuffer } from "./boot-disk.ts";
import type { BootDisk, EntryFolder, SlotDevice } from "./boot-disk.ts";
import { erofsHeadBytes, readErofsUuid } from "./erofs.ts";
import { kernelWord, readKernelCommandLine } from "./kernel-image.ts";
import { SlotWriter } from "./slot-writer.ts";

const slotNames = ["a", "b"] as const satisfies readonly SlotName[];
/** How much is read at once. */
const readBytes = 1 << 20;
/** What a folder on the ESP may grow by besides the kernel. */
const folderBytes = 64 << 10;

export class DiskSlots implements BootSlots {
  readonly #disk: BootDisk;

  constructor(disk: BootDisk) {
    this.#disk = disk;
  }

  async slots(): Promise<readonly SlotState[]> {
    const active = await this.#disk.activeSlot();
    return Promise.all(
      slotNames.map(async (name) => {
        await using device = await this.#disk.openSlot(name, "read");
        const uuid = await deviceUuid(device);
        return {
          name,
          active: name === active,
          bytes: device.bytes,
          ...(uuid === undefined ? {} : { uuid }),
        };
      }),
    );
  }

  async running(): Promise<{ readonly version: string; readonly uuid: string }> {
    const line = await this.#disk.commandLine();
    const version = kernelWord(line, kernelWords.version);
    const uuid = kernelWord(line, kernelWords.root)?.toLowerCase();
    if (version === undefined || uuid === undefined)
      throw new KeelError("KEEL-801", "this system was not started from an image of Keelson’s");
    return { version, uuid };
  }

  async entries(): Promise<readonly SlotEntry[]> {
    const slots = await this.slots();
    return this.#disk.withEntries(async (folder) => {
      const found: SlotEntry[] = [];
      for (const { entry, name } of await entryFiles(folder)) {
        const uuid = await rootOf(folder, name);
        const slot = uuid === undefined ? undefined : slots.find((one) => one.uuid === uuid);
        found.push({ ...entry, ...(slot === undefined ? {} : { slot: slot.name }) });
      }
      return found;
    });
  }

  async kernel(version: string): Promise<Uint8Array | undefined> {
    return this.#disk.withEntries(async (folder) => {
      const found = (await entryFiles(folder)).find(({ entry }) => entry.version === version);
      return found === undefined ? undefined : folder.read(found.name, 0, found.bytes);
    });
  }

  async kernelRoom(): Promise<number> {
    const running = await this.running();
    return this.#disk.withEntries(async (folder) => {
      const gone = await replaceable(folder, running);
      const room = (await folder.free()) + gone.reduce((sum, { bytes }) => sum + bytes, 0) - folderBytes;
      return Math.max(0, room);
    });
  }

  async openPassive(): Promise<RootWriter> {
    const active = await this.#disk.activeSlot();
    const running = await this.running();
    await this.#disk.withEntries(async (folder) => {
      for (const { name } of await replaceable(folder, running)) await folder.remove(name);
    });
    return new SlotWriter(await this.#disk.openSlot(active === "a" ? "b" : "a", "write"));
  }

  async *read(
    slot: SlotName,
    length: number,
    until: (end: number) => Promise<void> = async () => {},
  ): AsyncIterable<Uint8Array> {
    await using device = await this.#disk.openSlot(slot, "read");
    if (length > device.bytes)
      throw new KeelError("KEEL-802", `slot ${slot} has ${device.bytes} bytes, ${length} were to be read`);
    yield* readAhead(device, length, until);
  }

  async openReader(slot: SlotName): Promise<SlotReader> {
    const device = await this.#disk.openSlot(slot, "read");
    let buffer = alignedBuffer(1 << 20);
    return {
      size: device.bytes,
      async read(offset, length) {
        if (length > buffer.byteLength) buffer = alignedBuffer(length);
        const part = buffer.subarray(0, length);
        await device.read(part, offset);
        return part;
      },
      [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
    };
  }

  async activate(version: string, kernel: AsyncIterable<Uint8Array>): Promise<void> {
    const running = await this.running();
    await this.#disk.withEntries(async (folder) => {
      await removeVersion(folder, version);
      const temporary = `keelson_${version}.new`;
      try {
        await writeProven(folder, temporary, kernel);
      } catch (error) {
        await folder.remove(temporary).catch(() => {});
        throw error;
      }
      await folder.rename(temporary, bootEntryName({ version, tries: { left: bootTries, done: 0 } }));
      // The boot loader prefers higher versions: to go to a lower one, the running one must step back.
      if (compareVersions(version, running.version) < 0) await setTries(folder, running.version, 0);
    });
  }

  async bless(version: string): Promise<void> {
    await this.#disk.withEntries((folder) => setTries(folder, version, undefined));
  }

  async condemn(version: string): Promise<void> {
    await this.#disk.withEntries((folder) => setTries(folder, version, 0));
  }

  async retry(version: string): Promise<void> {
    await this.#disk.withEntries((folder) => setTries(folder, version, bootTries));
  }
}

interface EntryFile {
  readonly name: string;
  readonly bytes: number;
  readonly entry: BootEntry;
}

async function entryFiles(folder: EntryFolder): Promise<readonly EntryFile[]> {
  return (await folder.list()).flatMap(({ name, bytes }) => {
    const entry = parseBootEntry(name);
    return entry === undefined ? [] : [{ name, bytes, entry }];
  });
}

/** The version that a file belongs to, finished or not; undefined for what is not Keelson's. */
function versionOf(name: string): string | undefined {
  return parseBootEntry(name)?.version ?? /^keelson_(\d+\.\d+\.\d+)\.new$/i.exec(name)?.[1];
}

/** Everything but what starts the running version. */
async function replaceable(
  folder: EntryFolder,
  running: { readonly version: string; readonly uuid: string },
): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
  const found: { readonly name: string; readonly bytes: number }[] = [];
  for (const file of await folder.list()) {
    const version = versionOf(file.name);
    if (version === undefined || version === running.version) continue;
    if ((await rootOf(folder, file.name)) !== running.uuid) found.push(file);
  }
  return found;
}

async function removeVersion(folder: EntryFolder, version: string): Promise<void> {
  for (const { name } of await folder.list()) if (versionOf(name) === version) await folder.remove(name);
}

/** The UUID that a kernel looks for. */
async function rootOf(folder: EntryFolder, name: string): Promise<string | undefined> {
  const line = await readKernelCommandLine((position, length) => folder.read(name, position, length));
  return line === undefined ? undefined : kernelWord(line, kernelWords.root)?.toLowerCase();
}

/** Writes a file and reads it back from the disk. */
async function writeProven(
  folder: EntryFolder,
  name: string,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const written = createHash("sha256");
  await folder.write(
    name,
    (async function* () {
      for await (const chunk of content) {
        written.update(chunk);
        yield chunk;
      }
    })(),
  );
  const found = createHash("sha256");
  for await (const chunk of folder.readBack(name)) found.update(chunk);
  if (!found.digest().equals(written.digest()))
    throw new KeelError("KEEL-808", "the kernel reads back from the ESP with other bytes than were written");
}

/** Renames every entry of a version; several of them, left by a power cut, stay apart by their failed tries. */
async function setTries(folder: EntryFolder, version: string, left: number | undefined): Promise<void> {
  const files = (await entryFiles(folder)).filter(({ entry }) => entry.version === version);
  if (files.length === 0)
    throw new KeelError("KEEL-802", `the boot menu has no entry for version ${version}`, {
      hint: "`keel os status` shows its entries",
    });
  const others = files.filter(({ entry }) => entry.tries?.left !== left);
  if (left === undefined) {
    // One good name is enough, and there is only one.
    if (others.length === files.length) await folder.rename(files[0]?.name ?? "", bootEntryName({ version }));
    return;
  }
  const taken = new Set(files.map(({ name }) => name));
  for (const { name } of others) {
    let done = 0;
    while (taken.has(bootEntryName({ version, tries: { left, done } }))) done++;
    const fresh = bootEntryName({ version, tries: { left, done } });
    taken.add(fresh);
    await folder.rename(name, fresh);
  }
}

async function deviceUuid(device: SlotDevice): Promise<string | undefined> {
  const head = alignedBuffer(erofsHeadBytes);
  await device.read(head, 0);
  return readErofsUuid(head);
}

/** Reads the next part while the one before is looked at. */
async function* readAhead(
  device: SlotDevice,
  length: number,
  until: (end: number) => Promise<void>,
): AsyncIterable<Uint8Array> {
  const buffers = [alignedBuffer(readBytes), alignedBuffer(readBytes)] as const;
  const start = async (position: number): Promise<Uint8Array> => {
    const bytes = Math.min(readBytes, length - position);
    const buffer = buffers[(position / readBytes) % 2 === 0 ? 0 : 1];
    const whole = buffer.subarray(0, Math.min(Math.ceil(bytes / 4096) * 4096, device.bytes - position));
    await until(position + bytes);
    await device.read(whole, position);
    return whole.subarray(0, bytes);
  };
  let next = length > 0 ? start(0) : undefined;
  for (let position = readBytes; next !== undefined; position += readBytes) {
    const now = await next;
    next = position < length ? start(position) : undefined;
    // The reader may stop: a failure of what nobody waits for is no crash.
    next?.catch(() => {});
    yield now;
  }
}
