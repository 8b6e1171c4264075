// The verbs over a store that changes behind their back.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Keys } from "../../src/rest/keys.ts";
import type { KeysStore, KeysTransaction } from "../../src/rest/keys-store.ts";
import { eventJson } from "../../src/rest/node.ts";
import { KeysRefusal } from "../../src/rest/refusal.ts";
import { readRequest, type KeysMethod } from "../../src/rest/request.ts";
import { EtcdServer } from "../../src/server/index.ts";

let server: EtcdServer;
let dataDir: string;
let ids = 0n;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keelson-rest-"));
  server = await EtcdServer.start({ dataDir, listen: [] });
});

after(async () => {
  await server.close();
  await rm(dataDir, { recursive: true });
});

/** The store, with something done before each of the first writes. */
function disturbed(store: KeysStore, times: number, disturb: (time: number) => Promise<unknown>): KeysStore {
  let done = 0;
  return {
    read: (spans, revision) => store.read(spans, revision),
    write: async (transaction: KeysTransaction) => {
      if (done < times) await disturb(done++);
      return store.write(transaction);
    },
    watch: (span, from, signal) => store.watch(span, from, signal),
    grant: (lease, seconds) => store.grant(lease, seconds),
    renew: (lease) => store.renew(lease),
    revoke: (lease) => store.revoke(lease),
    lease: (lease) => store.lease(lease),
    identity: store.identity,
  };
}

const options = (root: string) => ({ root, wall: () => 0, randomId: () => ids++ });

async function call(
  keys: Keys,
  method: KeysMethod,
  path: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const form = new Map(Object.entries(fields).map(([name, value]) => [name, [value]]));
  try {
    return eventJson((await keys.answer(readRequest(method, path, form))).event);
  } catch (error) {
    if (error instanceof KeysRefusal) return error.refused;
    throw error;
  }
}

describe("the verbs of the keys API", () => {
  test("decide anew when something changed in between", async () => {
    const plain = new Keys(server.keys, options("/anew"));
    const put = (value: string) => call(plain, "PUT", "/k", { value });
    await put("first");
    const keys = new Keys(
      disturbed(server.keys, 3, (time) => put(`other ${time}`)),
      options("/anew"),
    );
    const event = (await call(keys, "PUT", "/k", { value: "mine" })) as { prevNode: { value: string } };
    assert.equal(event.prevNode.value, "other 2");
  });

  test("a swap whose value has just changed fails", async () => {
    const plain = new Keys(server.keys, options("/swap"));
    await call(plain, "PUT", "/k", { value: "a" });
    const keys = new Keys(
      disturbed(server.keys, 1, () => call(plain, "PUT", "/k", { value: "b" })),
      options("/swap"),
    );
    assert.equal(await call(keys, "PUT", "/k", { value: "c", prevValue: "a" }), "compareFailed");
  });

  test("a directory that is just being filled is not deleted as an empty one", async () => {
    const plain = new Keys(server.keys, options("/fill"));
    await call(plain, "PUT", "/d", { dir: "true" });
    const keys = new Keys(
      disturbed(server.keys, 1, () => call(plain, "PUT", "/d/x", { value: "x" })),
      options("/fill"),
    );
    assert.equal(await call(keys, "DELETE", "/d", { dir: "true" }), "directoryNotEmpty");
  });

  test("a file that just became a directory is none", async () => {
    const plain = new Keys(server.keys, options("/turn"));
    await call(plain, "PUT", "/k", { value: "x" });
    const keys = new Keys(
      disturbed(server.keys, 1, () => call(plain, "PUT", "/k", { dir: "true" })),
      options("/turn"),
    );
    assert.equal(await call(keys, "PUT", "/k/below", { value: "y" }), "notDirectory");
    assert.equal(await call(keys, "PUT", "/k", { value: "y" }), "notFile");
  });

  test("who is never lucky is told so, and leaves no lease", async () => {
    const plain = new Keys(server.keys, options("/luck"));
    const keys = new Keys(
      disturbed(server.keys, Infinity, () => call(plain, "PUT", "/k", { value: "x" })),
      options("/luck"),
    );
    const leases = server.status.leases;
    assert.equal(await call(keys, "PUT", "/k", { value: "y", ttl: "100" }), "internal");
    await call(plain, "PUT", "/k", { value: "x" });
    assert.equal(server.status.leases, leases);
  });

  test("a key that is written again leaves no lease", async () => {
    const keys = new Keys(server.keys, options("/lease"));
    const leases = server.status.leases;
    for (let turn = 0; turn < 5; turn++) await call(keys, "PUT", "/k", { value: "x", ttl: "100" });
    await call(keys, "DELETE", "/k");
    await call(keys, "PUT", "/other", { value: "x" });
    assert.equal(server.status.leases, leases);
  });

  test("roots do not see each other", async () => {
    const one = new Keys(server.keys, options("/root/one"));
    const two = new Keys(server.keys, options("/root/two"));
    await call(one, "PUT", "/k", { value: "x" });
    assert.equal(await call(two, "GET", "/k"), "keyNotFound");
    assert.deepEqual(await call(two, "GET", "/"), { action: "get", node: { dir: true } });
  });
});
