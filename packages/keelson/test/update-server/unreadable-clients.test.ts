import assert from "node:assert/strict";
import { test } from "node:test";
import { UnreadableClients } from "../../src/update-server/unreadable-clients.ts";

test("unreadable clients are bounded in number and length, the latest first", () => {
  const clients = new UnreadableClients();
  for (let n = 0; n < 1000; n++) clients.add(`192.0.2.${n}`, `error ${n} \u001b[31m${"x".repeat(10_000)}`, n);
  clients.add("192.0.2.900", "again", 2000);
  const list = clients.list();
  assert.equal(list.length, 256);
  assert.deepEqual(list[0], {
    address: "192.0.2.900",
    count: 2,
    lastError: "again",
    firstMs: 900,
    lastMs: 2000,
  });
  assert.equal(list[1]?.address, "192.0.2.999");
  assert.equal(list[1].lastError.length, 300);
  assert.doesNotMatch(list[1].lastError, /\p{Cc}/u);
  assert.equal(clients.total, 1001);
});
