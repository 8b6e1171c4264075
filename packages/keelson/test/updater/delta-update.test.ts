// Updates by a delta from what runs; whatever is wrong with it, the whole image follows.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { deltaFileName } from "../../src/model/os-image.ts";
import type { ImageReader } from "../../src/releases/apply-delta.ts";
import { makeDelta } from "../../src/releases/make-delta.ts";
import { FolderSource } from "../../src/updater/sources/folder-source.ts";
import {
  machineUnderTest,
  publish,
  runningRelease,
  similarRelease,
  wishes,
  writeFolder,
} from "./machine-under-test.ts";
import type { PublishedRelease } from "./machine-under-test.ts";

const similar = similarRelease("2.1.0", runningRelease.image);
const plain = publish("2.1.0", (same) => same, similar);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const readerOf = (bytes: Uint8Array): ImageReader => ({
  size: bytes.byteLength,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

async function deltaFrom(base: Uint8Array): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await makeDelta({
    base: readerOf(base),
    result: readerOf(plain.image),
    level: 3,
    write: async (chunk) => void parts.push(Buffer.from(chunk)),
  });
  return Buffer.concat(parts);
}

const { image } = runningRelease;
/** The same blocks in other places. */
const turned = Buffer.concat([image.subarray(409_600), image.subarray(0, 409_600)]);
const good = await deltaFrom(image);
const name = deltaFileName(runningRelease.version, { ...plain.manifest });

/** The release with a delta that its manifest names as it is. */
function withDelta(delta: Uint8Array, base: Uint8Array = image): PublishedRelease {
  return publish(
    "2.1.0",
    (manifest) => ({
      ...manifest,
      deltas: [
        {
          from: runningRelease.version,
          name,
          size: delta.byteLength,
          sha256: sha256(delta),
          base: { size: base.byteLength, sha256: sha256(base) },
        },
      ],
    }),
    similar,
  );
}

async function update(
  release: PublishedRelease,
  delta: Uint8Array | undefined,
): Promise<{ readonly how: string; readonly bytes: number; readonly notes: readonly string[] }> {
  await using machine = await machineUnderTest();
  const folder = await writeFolder(join(machine.folder, "usb"), release);
  await rm(join(folder, name), { force: true });
  if (delta !== undefined) await writeFile(join(folder, name), delta);
  const notes: string[] = [];
  const options = wishes({ onNote: (text) => void notes.push(text) });
  const done = await machine.updater.update(new FolderSource(folder), options);
  assert.equal((await machine.disk.start())?.version, "2.1.0");
  return { ...done, notes };
}

describe("an update by a delta", () => {
  test("takes the delta and the kernel, and nothing else", async () => {
    const { how, bytes, notes } = await update(withDelta(good), good);
    assert.deepEqual(notes, []);
    assert.equal(how, "delta");
    assert.equal(bytes, good.byteLength + plain.manifest.kernel.size);
  });

  test("that is missing, cut off or changed on its way falls back to the whole image, and says so", async () => {
    const changed = Buffer.from(good);
    changed[good.length >> 1] = (changed[good.length >> 1] ?? 0) ^ 1;
    for (const delta of [undefined, good.subarray(0, -9), Buffer.concat([good, Buffer.of(0)]), changed]) {
      const { how, notes } = await update(withDelta(good), delta);
      assert.equal(how, "full");
      assert.ok(notes.length > 0);
    }
  });

  test("that was signed but is of another pair of images falls back to the whole image", async () => {
    const wrong = await deltaFrom(turned);
    const { how, notes } = await update(withDelta(wrong, turned), wrong);
    assert.equal(how, "full");
    assert.match(notes.join(), /delta/);
  });
});
