// A disk that fills up, and one that takes no writes: nothing acknowledged is lost, writes are refused and health
// says why, reads go on, and everything goes on when the disk does. The first needs root, to mount a file system.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { RawClient } from "./support/raw-client.ts";
import { ServerProcess } from "./support/server-process.ts";
import { PATIENCE_MS } from "./support/servers.ts";

const isRoot = process.getuid?.() === 0;

test("a full disk", { skip: !isRoot && "mounting a small file system takes root" }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "keelson-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", dir]);
  t.after(() => {
    execFileSync("umount", [dir]);
    rmdirSync(dir);
  });
  await using server = await ServerProcess.start(join(dir, "data"));
  using client = new RawClient(server.address);
  await put(client, "first");
  const { bavail, bsize } = await statfs(dir);
  const filler = join(dir, "filler");
  await writeFile(filler, Buffer.alloc(bavail * bsize - (2 << 20)));

  const acknowledged = ["first"];
  let refusal;
  for (let count = 0; refusal === undefined && count < 200; count++) {
    const name = `k${String(count).padStart(3, "0")}`;
    const answer = await put(client, name);
    if ("refused" in answer) refusal = answer.refused;
    else acknowledged.push(name);
  }
  assert.deepEqual(refusal, { code: 8, message: "etcdserver: mvcc: database space exceeded" });
  assert.deepEqual(await names(client), acknowledged);
  const health = await fetch(`http://${server.address}/health`);
  assert.equal(health.status, 503);
  assert.match(((await health.json()) as { reason: string }).reason, /no space left/i);
  await server.kill();
  await server.restart();
  using again = new RawClient(server.address);
  assert.deepEqual(await names(again), acknowledged, "a full disk can still be started from");

  await rm(filler);
  await untilTaken(again, "last");
  assert.deepEqual(await names(again), [...acknowledged, "last"]);
  assert.equal((await fetch(`http://${server.address}/health`)).status, 200);
});

test("a disk that fails to write", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "keelson-failing-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await using server = await ServerProcess.start(dir);
  using client = new RawClient(server.address);
  await put(client, "first");
  // The kernel refuses every write behind this place of a file.
  server.limitFileSize(4096);
  const answer = await put(client, "second");
  assert.ok("refused" in answer);
  assert.equal(answer.refused.code, 14);
  assert.deepEqual(await names(client), ["first"]);
  const health = await fetch(`http://${server.address}/health`);
  assert.equal(health.status, 503);
  server.limitFileSize(undefined);
  await untilTaken(client, "third");
  const kept = await names(client);
  assert.deepEqual(kept, ["first", "third"], "what failed half way was wiped, and never appears");
  await server.kill();
  await server.restart();
  using again = new RawClient(server.address);
  assert.deepEqual(await names(again), kept);
});

async function untilTaken(client: RawClient, key: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await put(client, key);
    if ("ok" in answer) return;
    assert.ok(performance.now() < deadline, answer.refused.message);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function put(client: RawClient, key: string) {
  return client.call(KV.method.put, { key: Buffer.from(key), value: Buffer.alloc(1 << 20, "v") });
}

async function names(client: RawClient): Promise<readonly string[]> {
  const all = { key: Buffer.from("\0"), rangeEnd: Buffer.from("\0"), keysOnly: true };
  const answer = await client.call(KV.method.range, all);
  assert.ok("ok" in answer);
  return answer.ok.kvs.map(({ key }) => Buffer.from(key).toString());
}
