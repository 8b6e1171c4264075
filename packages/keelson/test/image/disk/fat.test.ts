import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { layOutFat } from "../../../src/image/disk/fat.ts";
import type { FatFile } from "../../../src/image/disk/fat.ts";

const megabytes = 64;
const options = { bytes: megabytes * 2 ** 20, sectorBytes: 512, label: "TEST", serial: 7, offset: 0 };

/** Reads folders as a driver does: chains of clusters, long names. Each file's path and place. */
function readBack(files: readonly FatFile[]): Map<string, { offset: number; bytes: number }> {
  const { pieces } = layOutFat(files, options);
  const disk = (at: number, length: number): Buffer => {
    const out = Buffer.alloc(length);
    for (const { offset, data } of pieces) {
      const from = Math.max(at, offset);
      const to = Math.min(at + length, offset + data.length);
      if (from < to) data.copy(out, from - at, from - offset, to - offset);
    }
    return out;
  };
  const boot = disk(0, 512);
  const cluster = boot.readUInt8(13) * 512;
  const tableAt = boot.readUInt16LE(14) * 512;
  const dataAt = tableAt + boot.readUInt8(16) * boot.readUInt32LE(36) * 512;
  const placeOf = (number: number): number => dataAt + (number - 2) * cluster;
  const found = new Map<string, { offset: number; bytes: number }>();
  const walk = (first: number, path: string): void => {
    const chunks: Buffer[] = [];
    for (let at = first; at < 0x0ffffff8; at = disk(tableAt + at * 4, 4).readUInt32LE(0) & 0x0fffffff)
      chunks.push(disk(placeOf(at), cluster));
    const entries = Buffer.concat(chunks);
    let name = "";
    for (let at = 0; at < entries.length && entries[at] !== 0; at += 32) {
      const entry = entries.subarray(at, at + 32);
      if (entry[11] === 0x0f) {
        const units = Buffer.concat([entry.subarray(1, 11), entry.subarray(14, 26), entry.subarray(28, 32)]);
        name = units.toString("utf16le").replace(/\0.*$/s, "").replaceAll("\uffff", "") + name;
        continue;
      }
      const start = (entry.readUInt16LE(20) << 16) | entry.readUInt16LE(26);
      const isDot = entry[0] === 0x2e;
      if (entry[11] === 0x10 && !isDot) walk(start, `${path}${name}/`);
      if (entry[11] === 0x20)
        found.set(path + name, { offset: placeOf(start), bytes: entry.readUInt32LE(28) });
      name = "";
    }
  };
  walk(boot.readUInt32LE(44), "");
  return found;
}

describe("a FAT32 file system", () => {
  test("is read by a driver with every name, place and size", () => {
    const files = [
      { path: "EFI/BOOT/BOOTX64.EFI", bytes: 100_000 },
      { path: "EFI/Linux/keelson_1.2.3+3-0.efi", bytes: 12_345_678 },
      { path: "loader/loader.conf", bytes: 10 },
      { path: "loader/empty", bytes: 0 },
    ];
    const { files: places } = layOutFat(files, options);
    const read = readBack(files);
    assert.deepEqual([...read.keys()].toSorted(), files.map(({ path }) => path).toSorted());
    for (const { path, offset, bytes } of places.filter((file) => file.bytes > 0))
      assert.deepEqual(read.get(path), { offset, bytes });
  });

  test("keeps all names apart, whatever they are", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_+.-]{0,59}[a-z]$/);
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 40 }), (names) => {
        const files = names.map((path, index) => ({ path, bytes: index + 1 }));
        const read = readBack(files);
        assert.deepEqual(
          files.map(({ path }) => read.get(path)?.bytes),
          files.map(({ bytes }) => bytes),
        );
        assert.equal(new Set([...read.values()].map(({ offset }) => offset)).size, files.length);
      }),
      { numRuns: 30 },
    );
  });

  test("that is too small for FAT32 or for its files is refused", () => {
    assert.throws(() => layOutFat([], { ...options, bytes: 2 ** 20 }), RangeError);
    assert.throws(() => layOutFat([{ path: "large", bytes: 2 ** 30 }], options), RangeError);
  });

  test("has no file that is a folder as well", () => {
    const files = [
      { path: "a", bytes: 1 },
      { path: "a/b", bytes: 1 },
    ];
    assert.throws(() => layOutFat(files, options), TypeError);
  });
});
