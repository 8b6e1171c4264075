// What a slot's writer promises to whoever reads it back meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SlotDevice } from "../../../src/updater/disk-slots/boot-disk.ts";
import { SlotWriter } from "../../../src/updater/disk-slots/slot-writer.ts";

const part = 1 << 20;

/** A device whose writes stay only once they were synced. */
class Device implements SlotDevice {
  readonly bytes = 8 * part;
  syncs = 0;
  /** Bytes from the beginning that a power cut leaves. */
  stays = 0;
  failsAt = Number.POSITIVE_INFINITY;
  closed = false;
  #written = 0;

  read(): Promise<void> {
    return Promise.reject(new Error("nobody reads here"));
  }

  async write(buffer: Uint8Array, position: number): Promise<void> {
    await new Promise(setImmediate);
    if (position >= this.failsAt) throw new Error("a bad sector");
    this.#written = Math.max(this.#written, position + buffer.byteLength);
  }

  async sync(): Promise<void> {
    const written = this.#written;
    await new Promise(setImmediate);
    this.syncs++;
    this.stays = written;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

test("the beginning is on the disk while the end is still to come", async () => {
  const device = new Device();
  await using writer = new SlotWriter(device, part);
  await writer.write(Buffer.alloc(part + 100));
  await writer.untilSynced(part);
  assert.ok(device.stays >= part);
  let isThere = false;
  const more = writer.untilSynced(part + 1).then(() => void (isThere = true));
  await new Promise(setImmediate);
  assert.equal(isThere, false);
  await writer.sync();
  await more;
  assert.equal(device.stays, part + 4096);
});

test("parts are synced in their order, each once", async () => {
  const device = new Device();
  await using writer = new SlotWriter(device, 2 * part);
  const order: number[] = [];
  const waits = [4, 2, 1].map((count) => writer.untilSynced(count * part).then(() => order.push(count)));
  for (let count = 0; count < 4; count++) await writer.write(Buffer.alloc(part));
  await Promise.all(waits);
  assert.deepEqual(order, [2, 1, 4]);
  assert.equal(device.syncs, 2);
});

test("who waits is told when a write fails", async () => {
  const device = new Device();
  device.failsAt = part;
  const writer = new SlotWriter(device, part);
  const waits = assert.rejects(writer.untilSynced(3 * part), /a bad sector/);
  await assert.rejects(async () => {
    for (let count = 0; count < 8; count++) await writer.write(Buffer.alloc(part));
    await writer.sync();
  }, /a bad sector/);
  await writer[Symbol.asyncDispose]();
  await waits;
  assert.ok(device.closed);
});

test("who waits is told when the rest never comes", async () => {
  const writer = new SlotWriter(new Device(), part);
  const waits = assert.rejects(writer.untilSynced(part), /not written to its end/);
  await writer.write(Buffer.alloc(10));
  await writer[Symbol.asyncDispose]();
  await waits;
});
