import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Crc32c } from "../../src/disk/crc32c.ts";

test("CRC-32C has its published values, and can be taken in parts", () => {
  const crc = new Crc32c();
  // RFC 3720, B.4.
  assert.equal(crc.of(Buffer.from("123456789")), 0xe3069283);
  assert.equal(crc.of(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc.of(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), (bytes, cut) => {
      const at = bytes.length === 0 ? 0 : cut % bytes.length;
      assert.equal(crc.of(bytes, at, bytes.length, crc.of(bytes, 0, at)), crc.of(bytes));
      assert.equal(crc.of(bytes), bitwise(bytes));
    }),
  );
});

/** As RFC 3720 defines it. */
function bitwise(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
