// A machine whose slots, ESP and records are files of one file system: the updater works on them as on a disk's.
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  bootEntryName,
  entryFolder,
  slotBytes,
  treeDisk,
} from "../../packages/keelson/src/model/os-image.ts";
import { signEnvelope, writeEnvelope } from "../../packages/keelson/src/releases/envelope.ts";
import { rootEnvelope } from "../../packages/keelson/src/releases/root.ts";
import { simulatedRelease } from "../../packages/keelson/src/updater/simulated-disk/simulated-machine.ts";
import { testKeys, testRoot } from "../../test/os/support/releases.ts";

export const shippedRoot = "root.json";
export const osRelease = "os-release";
export { slotBytes };
export const passiveSlot = treeDisk.slots.b;

/** What runs: a whole update takes nothing from it but its name. */
const running = simulatedRelease("0.0.1", 1 << 20);

/** Makes the machine in a folder: something older is in its slot A and starts from its ESP. */
export async function makeMachine(folder: string): Promise<void> {
  const menu = join(folder, treeDisk.esp, entryFolder);
  await mkdir(menu, { recursive: true });
  await writeFile(join(folder, treeDisk.slots.a), running.image);
  await writeFile(join(folder, passiveSlot), "");
  for (const slot of Object.values(treeDisk.slots)) {
    await using file = await open(join(folder, slot), "r+");
    await file.truncate(slotBytes);
  }
  await writeFile(join(menu, bootEntryName({ version: running.version })), running.kernel);
  const line = `keelson.version=${running.version} keelson.root=${running.uuid}`;
  await writeFile(join(folder, treeDisk.commandLine), `${line}\n`);
  await writeFile(join(folder, treeDisk.active), "a\n");
  const signed = writeEnvelope(signEnvelope(rootEnvelope(testRoot), testKeys.root));
  await writeFile(join(folder, shippedRoot), signed);
  await writeFile(join(folder, osRelease), "KEELSON_EPOCH=0\n");
}

/** Takes the machine back to before an update, but for the passive slot's blocks, which stay where they are. */
export async function forgetUpdate(folder: string): Promise<void> {
  const head = Buffer.alloc(4096);
  await using slot = await open(join(folder, passiveSlot), "r+");
  await slot.write(head, 0, head.length, 0);
  await slot.sync();
  const menu = join(folder, treeDisk.esp, entryFolder);
  await rm(menu, { recursive: true });
  await mkdir(menu);
  await writeFile(join(menu, bootEntryName({ version: running.version })), running.kernel);
  await rm(join(folder, "os"), { recursive: true, force: true });
}
