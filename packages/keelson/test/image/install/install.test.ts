import assert from "node:assert/strict";
import {
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KeelError } from "../../../src/base/errors.ts";
import { readTable, tableSpace } from "../../../src/image/disk/partition-table.ts";
import { inspectDisk } from "../../../src/image/install/inspect.ts";
import { installSystem } from "../../../src/image/install/install.ts";
import { leastDisk } from "../../../src/image/install/layout.ts";
import { silentProgress } from "../../../src/local/progress.ts";
import { smallSource } from "../small-build.ts";

const work = mkdtempSync(join(tmpdir(), "keelson-install-test-"));
after(() => rmSync(work, { recursive: true, force: true }));

function emptyDisk(name: string, bytes = leastDisk): string {
  const path = join(work, name);
  writeFileSync(path, "");
  truncateSync(path, bytes);
  return path;
}

function bytesAt(path: string, position: number, length: number): Buffer {
  const file = openSync(path, "r");
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, position);
  closeSync(file);
  return bytes;
}

const install = async (path: string, options: { readonly force?: boolean } = {}): Promise<void> =>
  installSystem({ disk: await inspectDisk(path), source, progress: silentProgress, ...options });

const source = smallSource(work);
const isCode = (code: string) => (error: unknown) => error instanceof KeelError && error.code === code;

describe("an installation", () => {
  let disk = "";
  before(async () => {
    disk = emptyDisk("whole");
    await install(disk, {});
  });

  test("makes the partitions that the image has, and puts the root into slot A", () => {
    const table = readTable(bytesAt(disk, 0, tableSpace(4096).head), leastDisk);
    assert.deepEqual(
      table?.partitions.map(({ label, offset }) => [label, offset]),
      [
        ["keelson-esp", 1 << 20],
        ["keelson-root-a", 1025 * 2 ** 20],
        ["keelson-root-b", 2049 * 2 ** 20],
        ["keelson-state", 3073 * 2 ** 20],
      ],
    );
    const root = readFileSync(source.root.path);
    assert.deepEqual(bytesAt(disk, 1025 * 2 ** 20, root.length), root);
    assert.equal(bytesAt(disk, (1 << 20) + 82, 8).toString(), "FAT32   ");
    assert.equal(bytesAt(disk, 3073 * 2 ** 20 + 1080, 2).readUInt16LE(0), 0xef53);
  });

  test("is refused where there is one already, unless it is forced", async () => {
    await assert.rejects(install(disk), (error) => {
      assert.ok(isCode("KEEL-355")(error));
      assert.match((error as KeelError).message, /4 partitions \(keelson-esp/);
      return true;
    });
    await install(disk, { force: true });
  });

  test("that was cut off at any write leaves a disk that is not taken for a whole one", async () => {
    const { table } = { table: readTable(bytesAt(disk, 0, tableSpace(4096).head), leastDisk) };
    const esp = table?.partitions[0]?.offset ?? 0;
    // The boot sector is the last write: without it the rest does not count.
    const file = openSync(disk, "r+");
    writeSync(file, Buffer.alloc(512), 0, 512, esp);
    closeSync(file);
    const facts = await inspectDisk(disk);
    assert.equal(facts.isUnfinished, true);
    await install(disk);
    assert.equal((await inspectDisk(disk)).isUnfinished, false);
  });

  test("of a root that the kernel image does not name starts nowhere", async () => {
    const path = join(work, "changed.img");
    const root = readFileSync(source.root.path);
    root.writeUInt8(root.readUInt8(5000) ^ 1, 5000);
    writeFileSync(path, root);
    const target = emptyDisk("changed");
    const changed = { ...source, root: { path, offset: 0 } };
    const facts = await inspectDisk(target);
    await assert.rejects(
      installSystem({ disk: facts, source: changed, progress: silentProgress }),
      isCode("KEEL-358"),
    );
    const { isUnfinished, holds } = await inspectDisk(target);
    assert.equal(isUnfinished, true);
    assert.match(holds.join(), /keelson-unfinished/);
  });

  test("is refused on a disk that is too small, on one with data, and on what is no disk", async () => {
    await assert.rejects(inspectDisk(emptyDisk("small", leastDisk - 512)), isCode("KEEL-356"));
    await assert.rejects(inspectDisk("/dev/null"), isCode("KEEL-356"));
    await assert.rejects(inspectDisk(join(work, "nothing")), isCode("KEEL-356"));
    const used = emptyDisk("used");
    const file = openSync(used, "r+");
    writeSync(file, "something", leastDisk - 100);
    closeSync(file);
    await assert.rejects(install(used), (error) => /unknown kind/.test((error as Error).message));
  });
});
