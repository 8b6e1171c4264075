import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { EtcdClient } from "../../../src/client/index.ts";
import { EtcdError } from "../../../src/errors.ts";
import { restoreSnapshot } from "../../../src/server/index.ts";
import { testServer } from "../support.ts";

describe("a snapshot is restored", () => {
  let scratch = "";
  let snapshot = Buffer.alloc(0);
  let hash = 0;
  let revision = 0;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "keelson-restore-"));
    await using store = await testServer();
    await using client = new EtcdClient({ endpoints: [`127.0.0.1:${store.port}`], deadlineMs: 30_000 });
    const { id } = await client.grantLease(1000, -5n);
    for (let count = 0; count < 200; count++) await client.put(`key/${count % 70}`, `value ${count}`);
    await client.put("leased", "x".repeat(20_000), { lease: id });
    await client.delete({ key: "key/1" });
    ({ revision } = await client.delete({ key: "key/2" }));
    await client.compact(revision - 20, { physical: true });
    ({ hash } = await client.hashKv());
    const pieces: Uint8Array[] = [];
    for await (const piece of client.snapshot()) pieces.push(piece);
    snapshot = Buffer.concat(pieces);
  });
  after(() => rm(scratch, { recursive: true, force: true }));

  async function file(name: string, bytes: Buffer): Promise<string> {
    const path = join(scratch, name);
    await writeFile(path, bytes);
    return path;
  }

  it("with its history, its leases and its revisions", async () => {
    const dataDir = join(scratch, "whole");
    const restored = await restoreSnapshot({ file: await file("whole.db", snapshot), dataDir });
    assert.deepEqual(restored, { revision, compactRevision: revision - 20, keys: 69, leases: 1 });
    await using store = await testServer({ dataDir });
    await using client = new EtcdClient({ endpoints: [`127.0.0.1:${store.port}`], deadlineMs: 30_000 });
    assert.equal((await client.hashKv()).hash, hash);
    const lease = await client.leaseTimeToLive(-5n, { keys: true });
    assert.deepEqual([lease?.grantedTtlSeconds, lease?.keys], [1000, ["leased"]]);
    assert.equal((await client.put("more", "")).revision, revision + 1);
    await client.revokeLease(-5n);
    assert.equal(await client.get("leased"), undefined);
  });

  it("as a store of its own, whose ids are new", async () => {
    const whole = await file("ids.db", snapshot);
    const ids: unknown[] = [];
    for (const name of ["ids-1", "ids-2"]) {
      await restoreSnapshot({ file: whole, dataDir: join(scratch, name) });
      ids.push(await readFile(join(scratch, name, "format.json"), "utf8"));
    }
    assert.notEqual(ids[0], ids[1]);
  });

  it("only into an empty directory, and only from a file that is there", async () => {
    const dataDir = join(scratch, "occupied");
    const whole = await file("again.db", snapshot);
    await restoreSnapshot({ file: whole, dataDir });
    const before = await readdir(dataDir);
    await assert.rejects(restoreSnapshot({ file: whole, dataDir }), { code: "INVALID_ARGUMENT" });
    assert.deepEqual(await readdir(dataDir), before);
    const missing = { file: join(scratch, "nowhere.db"), dataDir: join(scratch, "vacant") };
    await assert.rejects(restoreSnapshot(missing), { code: "STORE_IO" });
    assert.equal(existsSync(missing.dataDir), false);
  });

  it("without its digest only when that is asked for", async () => {
    const bare = await file("bare.db", snapshot.subarray(0, -32));
    const dataDir = join(scratch, "bare");
    await assert.rejects(restoreSnapshot({ file: bare, dataDir }), {
      code: "STORE_DAMAGED",
      message: /no digest/,
    });
    assert.equal((await restoreSnapshot({ file: bare, dataDir, skipHashCheck: true })).revision, revision);
  });

  it("not at all when a byte differs, and nothing is left behind", async () => {
    const changed = Buffer.from(snapshot);
    changed[changed.length >> 1]! ^= 1;
    const dataDir = join(scratch, "changed");
    const damaged = { file: await file("changed.db", changed), dataDir };
    await assert.rejects(restoreSnapshot(damaged), { code: "STORE_DAMAGED", message: /SHA-256/ });
    assert.deepEqual(
      (await readdir(scratch)).filter((name) => name.startsWith("changed")),
      ["changed.db"],
    );
  });

  it("or refused, whatever is wrong inside of it", async () => {
    let refused = 0;
    for (let place = 4096 * 3; place < snapshot.length - 32; place += 2503) {
      const changed = Buffer.from(snapshot.subarray(0, -32));
      changed[place]! ^= 0xff;
      const digest = createHash("sha256").update(changed).digest();
      const dataDir = join(scratch, "wrong");
      try {
        await restoreSnapshot({ file: await file("wrong.db", Buffer.concat([changed, digest])), dataDir });
      } catch (error) {
        assert.ok(error instanceof EtcdError && error.code === "STORE_DAMAGED", String(error));
        refused++;
      }
      await rm(dataDir, { recursive: true, force: true });
    }
    assert.ok(refused > 0);
  });
});
