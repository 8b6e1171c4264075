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
    fc.property(fc.uint8Array(), fc.nat(), (bytes, cut) => {
      const at = bytes.length === 0 ? 0 : cut % bytes.length;
      assert.equal(crc.of(bytes, at, bytes.length, crc.of(bytes, 0, at)), crc.of(bytes));
    }),
  );
});
