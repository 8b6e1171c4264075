// The server is killed in the middle of writing, again and again. Everything that it acknowledged must be there
// afterwards, and nothing that nobody wrote. A request that was under way may or may not have been carried out.
// KEELSON_TEST_CRASHES sets how often it is killed.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import { RawClient } from "./support/raw-client.ts";
import { ServerProcess } from "./support/server-process.ts";
import { PATIENCE_MS } from "./support/servers.ts";

const ROUNDS = Number(process.env["KEELSON_TEST_CRASHES"] ?? 8);
const WRITERS = 20;
/** Few enough that a kill falls into a snapshot now and then. */
const SNAPSHOT_COUNT = 500;

interface Written {
  readonly acknowledged: Map<string, string>;
  /** Sent, and never answered. */
  readonly open: Map<string, string>;
  /** How many transactions were acknowledged. */
  revisions: number;
}

describe("a crash", { concurrency: true }, () => {
  test("everything acknowledged survives kill -9, and nothing else appears", async (t) => {
    await using dir = await scratch();
    await using server = await ServerProcess.start(dir.path, SNAPSHOT_COUNT);
    const written: Written = { acknowledged: new Map(), open: new Map(), revisions: 0 };
    let revision = 1;
    for (let round = 0; round < ROUNDS; round++) {
      await writeUntilKilled(server, round, written);
      await server.restart();
      revision = await check(server, written, revision);
    }
    t.diagnostic(`${written.acknowledged.size} keys, revision ${revision}`);
    assert.ok(written.acknowledged.size > ROUNDS * WRITERS);
  });

  test("leases have their full time again after a crash, and their keys", async () => {
    await using dir = await scratch();
    await using server = await ServerProcess.start(dir.path);
    using client = new RawClient(server.address);
    for (const [ID, TTL] of [
      [7n, 300n],
      [8n, 10n],
    ] as const) {
      await client.call(Lease.method.leaseGrant, { ID, TTL });
      await client.call(KV.method.put, { key: Buffer.from(`k${ID}`), lease: ID });
    }
    await until("five seconds have gone by", async () => (await left(client, 7n)) <= 295n);
    await server.kill();
    await server.restart();
    using again = new RawClient(server.address);
    assert.ok((await left(again, 7n)) > 295n);
    assert.equal(await count(again, "k7"), 1n);
    await until("the short one has ended", async () => (await count(again, "k8")) === 0n);
    assert.equal(await left(again, 8n), -1n);
  });

  test("leases end for no time in which the process was frozen and could not hear anybody", async () => {
    await using dir = await scratch();
    await using server = await ServerProcess.start(dir.path);
    using client = new RawClient(server.address);
    await client.call(Lease.method.leaseGrant, { ID: 7n, TTL: 8n });
    await client.call(KV.method.put, { key: Buffer.from("k"), lease: 7n });
    server.signal("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 9000));
    server.signal("SIGCONT");
    assert.equal(await count(client, "k"), 1n);
    await until("it is told", () => Promise.resolve(server.log.includes("leases are extended")));
    await until("the time left before the freeze is over", async () => (await count(client, "k")) === 0n);
  });
});

async function writeUntilKilled(server: ServerProcess, round: number, written: Written): Promise<void> {
  using client = new RawClient(server.address);
  let isOver = false;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let count = 0; !isOver; count++) {
      const keys = count % 3 === 0 ? ["a", "b"] : ["a"];
      const names = keys.map((key) => `${round}/${writer}/${count}/${key}`);
      const value = `${count} ${"v".repeat(count % 700)}`;
      for (const name of names) written.open.set(name, value);
      const success = names.map((name) => ({
        request: {
          case: "requestPut",
          value: { key: Buffer.from(name), value: Buffer.from(value) },
        } as const,
      }));
      const answer = await client.call(KV.method.txn, { success });
      if ("refused" in answer) return;
      for (const name of names) {
        written.open.delete(name);
        written.acknowledged.set(name, value);
      }
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 500));
  await server.kill();
  isOver = true;
  await Promise.all(writers);
}

async function check(server: ServerProcess, written: Written, before: number): Promise<number> {
  using client = new RawClient(server.address);
  const answer = await client.call(KV.method.range, { key: Buffer.from("\0"), rangeEnd: Buffer.from("\0") });
  assert.ok("ok" in answer, server.log);
  const found = new Map(answer.ok.kvs.map((kv) => [Buffer.from(kv.key).toString(), kv]));
  for (const [name, value] of written.acknowledged) {
    assert.equal(Buffer.from(found.get(name)?.value ?? []).toString(), value, `${name} was acknowledged`);
  }
  for (const [name, kv] of found) {
    const wanted = written.acknowledged.get(name) ?? written.open.get(name);
    assert.equal(Buffer.from(kv.value).toString(), wanted, `${name} is nothing that was written`);
    // From now on it is there for good.
    written.acknowledged.set(name, Buffer.from(kv.value).toString());
    const sibling = name.endsWith("/a") ? name.replace(/a$/, "b") : name.replace(/b$/, "a");
    if (written.open.has(sibling))
      assert.ok(found.has(sibling), `${name} came without the rest of its transaction`);
  }
  written.open.clear();
  // Each transaction made one revision, and no other was made.
  const revisions = new Set(answer.ok.kvs.map((kv) => Number(kv.modRevision)));
  const current = Number(answer.ok.header?.revision);
  assert.equal(revisions.size, current - 1);
  assert.ok(current >= before);
  return current;
}

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "keelson-crash-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `${what}: not in time`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Seconds that a lease has left; -1 when there is none. */
async function left(client: RawClient, ID: bigint): Promise<bigint> {
  const answer = await client.call(Lease.method.leaseTimeToLive, { ID });
  assert.ok("ok" in answer);
  return answer.ok.TTL;
}

async function count(client: RawClient, key: string): Promise<bigint> {
  const answer = await client.call(KV.method.range, { key: Buffer.from(key) });
  assert.ok("ok" in answer);
  return answer.ok.count;
}
