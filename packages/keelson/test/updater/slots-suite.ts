// What holds for every BootSlots: slots of disks, of trees, and simulated ones.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BootSlots } from "../../src/updater/boot-slots.ts";

export interface SlotsUnderTest extends AsyncDisposable {
  /** Running the first release from one slot, blessed; the other slot is empty. */
  readonly slots: BootSlots;
  /** Others write to the file system of its kernels as well: how much is free there changes by itself. */
  readonly sharesRoom?: boolean;
  readonly running: SlotRelease;
  /** Newer than what runs. */
  readonly newer: SlotRelease;
  /** Older than what runs. */
  readonly older: SlotRelease;
}

export interface SlotRelease {
  readonly version: string;
  /** As {@link BootSlots.slots} tells it once the image is in a slot. */
  readonly uuid: string;
  readonly image: Uint8Array;
  readonly kernel: Uint8Array;
}

export function slotsSuite(name: string, open: () => Promise<SlotsUnderTest>): void {
  describe(`${name}: slots`, () => {
    test("tell what runs, and from where", async () => {
      await using setup = await open();
      const { slots, running } = setup;
      assert.deepEqual(await slots.running(), { version: running.version, uuid: running.uuid });
      const active = (await slots.slots()).filter((slot) => slot.active);
      assert.deepEqual(
        active.map(({ uuid }) => uuid),
        [running.uuid],
      );
      assert.deepEqual(await slots.entries(), [{ version: running.version, slot: active[0]?.name }]);
    });

    test("hold what was written to the passive one, and leave the other", async () => {
      await using setup = await open();
      const { slots, running, newer } = setup;
      await install(slots, newer, { activate: false });
      const states = await slots.slots();
      const passive = states.find((slot) => !slot.active);
      const active = states.find((slot) => slot.active);
      assert.equal(passive?.uuid, newer.uuid);
      assert.ok(
        (await bytesOf(slots.read(passive?.name ?? "a", newer.image.byteLength))).equals(newer.image),
      );
      assert.ok(
        (await bytesOf(slots.read(active?.name ?? "a", running.image.byteLength))).equals(running.image),
      );
      assert.equal((await slots.entries()).length, 1);
    });

    test("start a newer release next, with three tries", async () => {
      await using setup = await open();
      const { slots, running, newer } = setup;
      await install(slots, newer);
      const passive = (await slots.slots()).find((slot) => !slot.active)?.name;
      assert.deepEqual(await entriesByVersion(slots, newer), {
        version: newer.version,
        tries: { left: 3, done: 0 },
        slot: passive,
      });
      assert.equal((await entriesByVersion(slots, running))?.tries, undefined);
    });

    test("let a newer running release step back for an older one", async () => {
      await using setup = await open();
      const { slots, running, older } = setup;
      await install(slots, older);
      assert.equal((await entriesByVersion(slots, running))?.tries?.left, 0);
      assert.equal((await entriesByVersion(slots, older))?.tries?.left, 3);
    });

    test("change nothing when the kernel's bytes break off", async () => {
      await using setup = await open();
      const { slots, newer } = setup;
      const before = await slots.entries();
      await assert.rejects(
        slots.activate(
          newer.version,
          (async function* () {
            yield newer.kernel.subarray(0, 1000);
            throw new Error("the cable is out");
          })(),
        ),
        /the cable is out/,
      );
      assert.deepEqual(await slots.entries(), before);
    });

    test("remove the entries of the passive one before it is written", async () => {
      await using setup = await open();
      const { slots, running, newer, sharesRoom = false } = setup;
      await install(slots, newer);
      const room = await slots.kernelRoom();
      await using writer = await slots.openPassive();
      assert.deepEqual(
        (await slots.entries()).map(({ version }) => version),
        [running.version],
      );
      if (!sharesRoom) assert.equal(await slots.kernelRoom(), room);
      await writer.sync();
    });

    test("take no more than fits", async () => {
      await using setup = await open();
      const { slots } = setup;
      const bytes = (await slots.slots())[0]?.bytes ?? 0;
      await using writer = await slots.openPassive();
      const chunk = new Uint8Array(Math.min(bytes, 1 << 20));
      await assert.rejects(
        async () => {
          for (let written = 0; written <= bytes; written += chunk.byteLength) await writer.write(chunk);
        },
        { code: "KEEL-809" },
      );
    });

    test("bless, condemn and give tries again, as often as asked", async () => {
      await using setup = await open();
      const { slots, newer } = setup;
      await install(slots, newer);
      const tries = async (): Promise<unknown> => (await entriesByVersion(slots, newer))?.tries;
      await slots.bless(newer.version);
      await slots.bless(newer.version);
      assert.equal(await tries(), undefined);
      await slots.condemn(newer.version);
      await slots.condemn(newer.version);
      assert.deepEqual(await tries(), { left: 0, done: 0 });
      await slots.retry(newer.version);
      assert.deepEqual(await tries(), { left: 3, done: 0 });
      await assert.rejects(slots.bless("77.0.0"), { code: "KEEL-802" });
    });
  });
}

/** Writes a release into the passive slot and makes it the next to start. */
export async function install(
  slots: BootSlots,
  release: SlotRelease,
  { activate = true }: { readonly activate?: boolean } = {},
): Promise<void> {
  {
    await using writer = await slots.openPassive();
    // Odd pieces, as they come off a network.
    for (let at = 0; at < release.image.byteLength; at += 65_537)
      await writer.write(release.image.subarray(at, at + 65_537));
    await writer.sync();
  }
  if (activate) await slots.activate(release.version, chunks(release.kernel));
}

export async function* chunks(bytes: Uint8Array, size = 16_384): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

async function entriesByVersion(
  slots: BootSlots,
  { version }: SlotRelease,
): Promise<SlotEntryLike | undefined> {
  return (await slots.entries()).find((entry) => entry.version === version);
}

type SlotEntryLike = Awaited<ReturnType<BootSlots["entries"]>>[number];
