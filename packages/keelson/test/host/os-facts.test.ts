import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseOsFacts } from "../../src/host/os-facts.ts";

const whole = `VERSION=1.2.3
VARIANT=vm
SLOT=b
ROOT_UUID=01234567-89ab-cdef-0123-456789abcdef
DISK=/dev/vda
ESP_DEVICE=/dev/vda1
ROOT_DEVICE=/dev/vda3
STATE_DEVICE=/dev/vda4
`;

test("what the first process wrote", () => {
  assert.deepEqual(parseOsFacts(whole), {
    version: "1.2.3",
    variant: "vm",
    slot: "b",
    rootUuid: "01234567-89ab-cdef-0123-456789abcdef",
    disk: "/dev/vda",
    espDevice: "/dev/vda1",
    rootDevice: "/dev/vda3",
    stateDevice: "/dev/vda4",
  });
});

test("a machine started without a known slot, and without a state partition", () => {
  const text = "VERSION=1.2.3\nVARIANT=vm\nSLOT=\nSTATE_DEVICE=\n";
  assert.deepEqual(parseOsFacts(text), { version: "1.2.3", variant: "vm" });
});

test("without a version there are no facts, and what cannot be believed is left out", () => {
  assert.equal(parseOsFacts(""), undefined);
  assert.equal(parseOsFacts("VERSION=latest\n"), undefined);
  assert.deepEqual(parseOsFacts("VERSION=1.0.0\nDISK=vda; reboot\nSLOT=c\n__proto__=x\n"), {
    version: "1.0.0",
    variant: "",
  });
});

test("garbage never throws", () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => void parseOsFacts(text)));
  fc.assert(
    fc.property(fc.nat(whole.length), (length) => {
      const facts = parseOsFacts(whole.slice(0, length));
      assert.ok(facts === undefined || /^\d+\.\d+\.\d+$/.test(facts.version));
    }),
  );
});
