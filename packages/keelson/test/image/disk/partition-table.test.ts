import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  guidBytes,
  guidText,
  partitionTypes,
  readTable,
  slotAttributes,
  tableSpace,
  writeTable,
} from "../../../src/image/disk/partition-table.ts";

const diskBytes = 8 * 2 ** 30;
const uuid = "01234567-89ab-4cde-8f01-23456789abcd";
const table = (sectorBytes: number) => ({
  uuid,
  sectorBytes,
  partitions: [
    { label: "keelson-esp", type: partitionTypes.esp, uuid, attributes: 0n, offset: 2 ** 20, bytes: 2 ** 30 },
    {
      label: "keelson-root-a",
      type: partitionTypes.root.amd64,
      uuid,
      attributes: slotAttributes,
      offset: 1025 * 2 ** 20,
      bytes: 2 ** 30,
    },
  ],
});

describe("a GUID partition table", () => {
  for (const sectorBytes of [512, 4096]) {
    test(`is read as it was written, in sectors of ${sectorBytes}`, () => {
      const { head, tail } = writeTable(table(sectorBytes), diskBytes);
      assert.deepEqual(readTable(head, diskBytes), table(sectorBytes));
      assert.equal(tail.length, tableSpace(sectorBytes).tail);
      assert.equal(tail.toString("latin1", tail.length - sectorBytes).slice(0, 8), "EFI PART");
      assert.equal(head.readUInt16LE(510), 0xaa55);
    });
  }

  test("is not read when any of its bytes that count is another", () => {
    const { head } = writeTable(table(512), diskBytes);
    fc.assert(
      fc.property(fc.integer({ min: 512, max: 512 + 91 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(head);
        changed.writeUInt8(changed.readUInt8(at) ^ by, at);
        assert.equal(readTable(changed, diskBytes), undefined);
      }),
    );
    const changed = Buffer.from(head);
    changed.writeUInt8(1, 1024 + 300);
    assert.equal(readTable(changed, diskBytes), undefined);
  });

  test("whose partitions go beyond the disk is none", () => {
    const { head } = writeTable(table(512), diskBytes);
    assert.equal(readTable(head, 2 ** 30), undefined);
  });

  test("garbage is none, of whatever length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), (bytes) => {
        assert.equal(
          readTable(Buffer.concat([Buffer.from(bytes), Buffer.alloc(32_768)]), 2 ** 30),
          undefined,
        );
        assert.equal(readTable(Buffer.from(bytes), 2 ** 30), undefined);
      }),
    );
  });

  test("GUIDs lie turned round", () => {
    assert.equal(guidBytes(partitionTypes.esp).toString("hex"), "28732ac11ff8d211ba4b00a0c93ec93b");
    assert.equal(guidText(guidBytes(uuid)), uuid);
    assert.throws(() => guidBytes("no"), TypeError);
  });
});
