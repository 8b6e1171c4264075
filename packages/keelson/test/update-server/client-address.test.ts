import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ClientAddresses } from "../../src/update-server/client-address.ts";

const addresses = new ClientAddresses(["10.0.0.0/8", "192.0.2.1", "fd00::/8"]);

describe("the address of a client", () => {
  for (const [what, connection, header, expected] of [
    ["nobody named", "10.0.0.1", undefined, "10.0.0.1"],
    ["named by a stranger", "198.51.100.1", "203.0.113.7", "198.51.100.1"],
    ["named by a trusted proxy", "10.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["what the client wrote itself is behind", "10.0.0.1", "127.0.0.1, 203.0.113.7", "203.0.113.7"],
    ["over two trusted proxies", "10.0.0.1", "203.0.113.7, 192.0.2.1", "203.0.113.7"],
    ["all are trusted", "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"],
    ["with a port", "10.0.0.1", "203.0.113.7:4711", "203.0.113.7"],
    ["IPv6", "fd00::1", "2001:db8::1", "2001:db8::1"],
    ["IPv6 with a port", "fd00::1", "[2001:db8::1]:4711", "2001:db8::1"],
    ["IPv4 on a socket for both", "::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"],
    ["hidden", "10.0.0.1", "unknown", "10.0.0.1"],
    ["garbage behind a good one", "10.0.0.1", "<script>, 203.0.113.7", "203.0.113.7"],
    ["empty", "10.0.0.1", "", "10.0.0.1"],
    ["endless", "10.0.0.1", "203.0.113.7,".repeat(100), "10.0.0.1"],
    ["no connection any more", undefined, "203.0.113.7", "unknown"],
  ] as const)
    test(what, () => assert.equal(addresses.of(connection, header), expected));

  test("networks that are none are refused", () => {
    for (const network of ["", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/x", "example.org", "fd00::/129"])
      assert.throws(() => new ClientAddresses([network]), { code: "KEEL-106" }, network);
  });
});
