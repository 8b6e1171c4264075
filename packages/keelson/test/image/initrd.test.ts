import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { cpioArchive } from "../../src/image/initrd.ts";
import { uuidOf } from "../../src/image/root-image.ts";
import { commandLine } from "../../src/image/unified-kernel.ts";

suite("initrd", () => {
  test("an archive has headers of 110 bytes, parts at multiples of four, and an end", () => {
    const archive = Buffer.from(
      cpioArchive([
        { path: "dev", mode: 0o040755, content: new Uint8Array() },
        { path: "init", mode: 0o100755, content: Buffer.from("hello") },
      ]),
    );
    assert.equal(archive.length % 4, 0);
    const names: string[] = [];
    for (let at = 0; at < archive.length;) {
      const field = (index: number): number =>
        Number.parseInt(archive.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
      assert.equal(archive.toString("latin1", at, at + 6), "070701");
      const [size, nameSize] = [field(6), field(11)];
      names.push(archive.toString("latin1", at + 110, at + 109 + nameSize));
      const content = Math.ceil((at + 110 + nameSize) / 4) * 4;
      if (names.at(-1) === "init") assert.equal(archive.toString("latin1", content, content + size), "hello");
      at = Math.ceil((content + size) / 4) * 4;
    }
    assert.deepEqual(names, ["dev", "init", "TRAILER!!!"]);
  });
});

suite("kernel command line", () => {
  test("names and proves the root behind the listed words", () => {
    const root = { uuid: uuidOf("x"), verity: { rootHash: "aa", salt: "bb", blocks: 7 } };
    assert.equal(
      commandLine(["quiet", "gpt"], { version: "1.0.0", variant: "vm", root }),
      `quiet gpt keelson.root=${root.uuid} keelson.verity=aa,bb,7 keelson.version=1.0.0 keelson.variant=vm`,
    );
  });

  test("a UUID from text is well formed and the same each time", () => {
    assert.match(uuidOf("a"), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(uuidOf("a"), uuidOf("a"));
    assert.notEqual(uuidOf("a"), uuidOf("b"));
  });
});
