import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { cpioEnd, cpioHeader } from "../../../src/image/export/cpio.ts";
import { plainHeader, sparseHeader, tarPadding } from "../../../src/image/export/tar.ts";
import { geometryOf, identityOf, readFooter, writeFooter } from "../../../src/image/export/vhd.ts";
import { seedScript } from "../../../src/image/export/stage.ts";
import { ipxeScript } from "../../../src/image/export/media-formats.ts";

describe("VHD's footer", () => {
  const footer = {
    kind: "fixed",
    bytes: 3760 * 2 ** 20,
    identity: identityOf("x"),
    made: 1_750_000_000,
  } as const;

  test("is read as it was written, with the specification's geometry", () => {
    const read = readFooter(writeFooter(footer));
    assert.deepEqual(
      { kind: read?.kind, bytes: read?.bytes, made: read?.made },
      { kind: footer.kind, bytes: footer.bytes, made: footer.made },
    );
    assert.deepEqual(geometryOf(footer.bytes), { cylinders: 7639, heads: 16, sectors: 63 });
    assert.deepEqual(geometryOf(40 * 2 ** 20), { cylinders: 963, heads: 5, sectors: 17 });
  });

  test("with any byte changed is none, and garbage is none", () => {
    const whole = writeFooter(footer);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 511 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(whole);
        changed.writeUInt8(changed.readUInt8(at) ^ by, at);
        assert.equal(readFooter(changed), undefined);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        assert.equal(readFooter(Buffer.from(bytes)), undefined);
      }),
    );
  });

  test("the geometry never says more than there is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 21 }), (mebibytes) => {
        const bytes = mebibytes * 2 ** 20;
        const { cylinders, heads, sectors } = geometryOf(bytes);
        assert.ok(cylinders * heads * sectors * 512 <= bytes);
        assert.ok(cylinders <= 65_535 && heads <= 16 && sectors <= 255);
      }),
    );
  });
});

describe("an archive's headers", () => {
  const sumIsRight = (header: Buffer): boolean => {
    const told = Number.parseInt(header.toString("latin1", 148, 154), 8);
    const plain = Buffer.from(header.subarray(0, 512));
    plain.fill(" ", 148, 156);
    return plain.reduce((sum, byte) => sum + byte, 0) === told;
  };

  test("have the right sums and sizes", () => {
    const header = plainHeader({ name: "a.ovf", bytes: 1234, made: 1 });
    assert.ok(sumIsRight(header));
    assert.equal(Number.parseInt(header.toString("latin1", 124, 135), 8), 1234);
    const large = plainHeader({ name: "large", bytes: 2 ** 34, made: 1 });
    assert.equal(large.readUInt8(124), 0x80);
    assert.equal(large.readBigUInt64BE(128), 2n ** 34n);
    assert.equal(tarPadding(513).length, 511);
    assert.equal(tarPadding(512).length, 0);
    assert.throws(() => plainHeader({ name: "n".repeat(101), bytes: 1, made: 1 }), RangeError);
  });

  test("of a sparse member hold all of its runs and its whole size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), (count) => {
        const extents = Array.from({ length: count }, (_, index) => ({ offset: index * 2048, bytes: 1024 }));
        const bytes = 200 * 1024;
        const header = sparseHeader({ name: "disk.raw", bytes, made: 1 }, extents);
        assert.ok(sumIsRight(header));
        assert.equal(header.toString("latin1", 156, 157), "S");
        assert.equal(Number.parseInt(header.toString("latin1", 483, 494), 8), bytes);
        assert.equal(Number.parseInt(header.toString("latin1", 124, 135), 8), count * 1024);
        // Four runs in the header, 21 in each block; the last is the empty one at the end.
        assert.equal(header.length, 512 * (1 + Math.max(0, Math.ceil((count + 1 - 4) / 21))));
      }),
    );
  });

  test("of the kernel's archive are in its form", () => {
    const header = cpioHeader({ path: "live/root.img", bytes: 10, mode: 0o400 }, 3);
    assert.equal(header.length % 4, 0);
    assert.equal(header.toString("latin1", 0, 14), "07070100000003");
    assert.equal(Number.parseInt(header.toString("latin1", 14, 22), 16), 0o100400);
    assert.equal(Number.parseInt(header.toString("latin1", 54, 62), 16), 10);
    assert.match(cpioEnd.toString("latin1"), /TRAILER!!!/);
  });
});

test("a configuration goes where provisioning looks, for root only", () => {
  const script = seedScript("/tmp/work/user-data");
  assert.match(script, /^mkdir lib\nmkdir lib\/keelson\nmkdir lib\/keelson\/provision\n/);
  assert.match(script, /^write \/tmp\/work\/user-data lib\/keelson\/provision\/seed\/user-data$/m);
  assert.match(script, /mode 0100600$/m);
});

test("iPXE is told the kernel's words and the initrd's name", () => {
  assert.match(
    ipxeScript("n", "quiet a=b"),
    /^#!ipxe\n[\s\S]*kernel vmlinuz quiet a=b initrd=initrd\ninitrd initrd\nboot\n$/,
  );
});
