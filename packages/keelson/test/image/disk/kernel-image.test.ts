import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readKernelImage } from "../../../src/image/disk/kernel-image.ts";
import { VerityHash, verityBytes } from "../../../src/image/disk/verity.ts";
import { kernelImage, program, rootImage, salt, uuid } from "../small-build.ts";

describe("a unified kernel image", () => {
  test("names its version, its root and what proves it", () => {
    const image = readKernelImage(kernelImage(rootImage(3)));
    assert.equal(image?.version, "1.2.3");
    assert.equal(image.variant, "vm");
    assert.equal(image.machine, "x64");
    assert.equal(image.root, uuid);
    assert.deepEqual({ ...image.verity, hash: "" }, { hash: "", salt, blocks: 3 });
    assert.equal(image.sections.get(".linux")?.toString(), "kernel");
  });

  test("of someone else, without words, or cut off anywhere is none of Keelson's", () => {
    assert.equal(readKernelImage(program({ ".linux": Buffer.from("kernel") })), undefined);
    assert.equal(readKernelImage(program({ ".cmdline": Buffer.from("quiet") })), undefined);
    const whole = kernelImage(rootImage(1));
    for (let length = 0; length < whole.length; length += 7)
      assert.equal(readKernelImage(whole.subarray(0, length)), undefined);
  });

  test("with any byte of its headers changed is read or refused, and nothing else", () => {
    const whole = kernelImage(rootImage(1));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = Buffer.from(whole);
        changed.writeUInt8(value, at);
        const read = readKernelImage(changed);
        assert.ok(read === undefined || read.root === uuid);
      }),
    );
  });
});

describe("dm-verity's root hash", () => {
  // veritysetup format --no-superblock of 300 zero blocks with this salt says the same.
  test("is veritysetup's", () => {
    const hash = new VerityHash({ salt: "ab".repeat(32), blocks: 300 });
    hash.update(Buffer.alloc(300 * 4096));
    assert.equal(hash.finish(), "9419698505f1345091f9544ca0edfdfa960600d58232d6c32f26225b361a4e46");
    assert.equal(verityBytes(300), (300 + 3 + 1) * 4096);
  });

  test("does not depend on how the data comes, and leaves out what is behind it", () => {
    const root = rootImage(20);
    const whole = new VerityHash({ salt, blocks: 20 });
    whole.update(root);
    const parts = new VerityHash({ salt, blocks: 20 });
    for (let at = 0; at < root.length; at += 1000) parts.update(root.subarray(at, at + 1000));
    parts.update(Buffer.alloc(9999, 1));
    assert.equal(parts.finish(), whole.finish());
  });

  test("of too little data is none", () => {
    const hash = new VerityHash({ salt, blocks: 2 });
    hash.update(Buffer.alloc(4096));
    assert.equal(hash.finish(), undefined);
    assert.throws(() => new VerityHash({ salt, blocks: 0 }), RangeError);
  });
});
