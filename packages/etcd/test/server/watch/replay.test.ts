import assert from "node:assert/strict";
import { test } from "node:test";
import { Keyspace } from "../../../src/keyspace/keyspace.ts";
import { keyRange } from "../../../src/keyspace/requests.ts";
import { replay } from "../../../src/server/watch/replay.ts";

const filter = { prevKv: false, noPut: false, noDelete: false };

test("a watcher that catches up hears at once what etcd's clients expect to hear at once", () => {
  const keyspace = new Keyspace();
  const large = "v".repeat(1 << 20);
  for (let count = 0; count < 30; count++) {
    keyspace.put(`key/${count}`, large, 0n);
    keyspace.commit();
  }
  const range = keyRange("key/", "key0");
  const first = replay(keyspace, { range, filter, nextRevision: 1 });
  assert.ok(first.versions.length >= 10, `${first.versions.length} events of 1 MiB`);
  assert.ok(first.versions.length < 30, "but not everything, however much it is");
  const rest = replay(keyspace, { range, filter, nextRevision: first.next });
  assert.equal(first.versions.length + rest.versions.length, 30);
  assert.equal(rest.next, keyspace.revision + 1);
});
