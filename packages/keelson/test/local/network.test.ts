import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../src/base/errors.ts";
import { preferredSubnet } from "../../src/local/names.ts";
import { addressIn, chooseSubnet, subnetOf } from "../../src/local/network.ts";
import { machineResolver } from "../../src/local/resolver.ts";

describe("the subnet of a cluster", () => {
  test("is the preferred one when it is free, else the next that is", () => {
    const wanted = preferredSubnet("demo");
    assert.equal(chooseSubnet("demo", ["192.0.2.2/24", "default", ""]), subnetOf(wanted));
    assert.equal(chooseSubnet("demo", [`10.205.${wanted}.1/24`]), subnetOf((wanted + 1) % 256));
    assert.equal(chooseSubnet("demo", [`10.205.${wanted}.7`]), subnetOf((wanted + 1) % 256));
    assert.equal(
      chooseSubnet("demo", ["10.0.0.0/8"]),
      subnetOf(wanted),
      "a default route to a wide net is no conflict",
    );
  });

  test("never touches one that is in use", () => {
    const used = fc.array(fc.tuple(fc.nat(255), fc.integer({ min: 22, max: 32 })), { maxLength: 20 });
    fc.assert(
      fc.property(used, (prefixes) => {
        const list = prefixes.map(([n, length]) => `10.205.${n}.0/${length}`);
        const chosen = Number(chooseSubnet("demo", list).split(".")[2]);
        for (const [n, length] of prefixes) {
          const size = length >= 24 ? 1 : 2 ** (24 - length);
          assert.ok(
            Math.floor(chosen / size) !== Math.floor(n / size),
            `${chosen} touches 10.205.${n}.0/${length}`,
          );
        }
      }),
      { examples: [[[[3, 24]]]], numRuns: 50 },
    );
  });

  test("runs out with an error that says what to do", () => {
    const all = Array.from({ length: 256 }, (_, n) => subnetOf(n));
    assert.throws(
      () => chooseSubnet("demo", all),
      (error) => error instanceof KeelError && error.code === "KEEL-301",
    );
  });

  test("gives addresses", () => {
    assert.equal(addressIn("10.205.7.0/24", 11), "10.205.7.11");
  });
});

test("a machine’s resolver leaves out servers that only the host can reach", () => {
  const host =
    "# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n nameserver ::1\nsearch example.org\nsortlist x\n";
  assert.equal(machineResolver(host), "nameserver 10.0.0.2\nsearch example.org\n");
});
