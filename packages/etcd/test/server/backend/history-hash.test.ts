import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { base64, post, testServer } from "../support.ts";

interface Answered {
  readonly hash: number;
  readonly compactRevision: number;
}

async function hashAt(port: number, revision: number): Promise<Answered> {
  const { status, text } = await post(port, "/v3/maintenance/hashkv", { revision });
  assert.equal(status, 200, text);
  const { hash, compact_revision } = JSON.parse(text) as { hash: number; compact_revision?: string };
  return { hash, compactRevision: Number(compact_revision ?? 0) };
}

async function compact(port: number, revision: number): Promise<number> {
  return (await post(port, "/v3/kv/compaction", { revision, physical: true })).status;
}

describe("the sum of a compaction", () => {
  test("stays what it was after compactions that were refused", async () => {
    await using store = await testServer();
    const { port } = store;
    for (const value of ["1", "2", "3", "4", "5"]) {
      await post(port, "/v3/kv/put", { key: base64("k"), value: base64(value) });
    }
    const before = await hashAt(port, 4);
    assert.equal(before.compactRevision, -1);
    assert.equal(await compact(port, 4), 200);
    assert.deepEqual(await hashAt(port, 4), before);
    for (const refused of [4, 3, 99]) assert.equal(await compact(port, refused), 400);
    assert.deepEqual(await hashAt(port, 4), before);
    assert.equal(await compact(port, 5), 200);
    assert.equal((await hashAt(port, 5)).compactRevision, 4);
  });

  test("to revision 0 answers for the current one from then on, as in etcd", async () => {
    await using store = await testServer();
    const { port } = store;
    assert.equal(await compact(port, 0), 200);
    const empty = await hashAt(port, 0);
    assert.equal(empty.compactRevision, -1);
    assert.equal(await compact(port, 0), 400);
    await post(port, "/v3/kv/put", { key: base64("k"), value: base64("v") });
    assert.deepEqual(await hashAt(port, 0), empty);
  });
});
