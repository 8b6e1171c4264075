import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { firmwareNames, microcodeArchive } from "../../src/image/firmware.ts";

void suite("firmware", () => {
  void test("names are taken once, and none leads out of its folder", () => {
    const output = "bnx2/a.fw\n\nrtl_nic/b-*.fw\nbnx2/a.fw\n/etc/shadow\n../../etc/passwd\nx/../../y\n";
    assert.deepEqual(firmwareNames(output), ["bnx2/a.fw", "rtl_nic/b-*.fw"]);
  });

  void test("microcode lies where the kernel looks, its parts in order, at a multiple of 16 bytes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 16, maxLength: 80 }), { minLength: 1, maxLength: 4 }),
        (parts) => {
          const archive = Buffer.from(
            microcodeArchive([
              { name: "AuthenticAMD.bin", contents: [Buffer.alloc(13, 0xa5)] },
              { name: "GenuineIntel.bin", contents: parts },
            ]) ?? [],
          );
          const files = filesOf(archive);
          assert.deepEqual(
            files.map(({ name }) => name),
            [
              "kernel",
              "kernel/x86",
              "kernel/x86/microcode",
              "kernel/x86/microcode/AuthenticAMD.bin",
              "kernel/x86/microcode/GenuineIntel.bin",
              "TRAILER!!!",
            ],
          );
          for (const { at, size } of files) assert.equal(size === 0 ? 0 : at % 16, 0);
          const intel = files[4];
          assert.deepEqual(
            archive.subarray(intel?.at, (intel?.at ?? 0) + (intel?.size ?? 0)),
            Buffer.concat(parts),
          );
        },
      ),
    );
  });

  void test("without any there is no archive", () => assert.equal(microcodeArchive([]), undefined));
});

/** Names of a cpio archive, and where their contents lie. */
function filesOf(archive: Buffer): { name: string; at: number; size: number }[] {
  const files = [];
  for (let start = 0; start < archive.length;) {
    const field = (index: number): number =>
      Number.parseInt(archive.toString("latin1", start + 6 + index * 8, start + 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    const name = archive.toString("latin1", start + 110, start + 110 + nameSize).replace(/\0+$/, "");
    const at = Math.ceil((start + 110 + nameSize) / 4) * 4;
    files.push({ name, at, size });
    start = Math.ceil((at + size) / 4) * 4;
  }
  return files;
}
