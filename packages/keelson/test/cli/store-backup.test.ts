// Backup and restore, through the API and directly, over a store in this process.
import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdClient } from "@keelson/etcd/client";
import { EtcdServer } from "@keelson/etcd/server";
import { takeBackup } from "../../src/backup/take-backup.ts";
import type { BackupSource } from "../../src/model/backup.ts";
import { EtcdBackupSource } from "../../src/registry/backup-source.ts";
import { runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { runKeel } from "./run-keel.ts";
import type { Ran } from "./run-keel.ts";

describe("backups", () => {
  let folder = "";
  let server: EtcdServer;
  let client: EtcdClient;
  let running: RunningApi;
  let endpoint = "";
  let source: BackupSource;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-backup-"));
    const dataDir = join(folder, "source");
    server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }] });
    endpoint = `http://127.0.0.1:${server.addresses[0]?.port}`;
    client = new EtcdClient({ endpoints: [endpoint], deadlineMs: 30_000 });
    source = new EtcdBackupSource(() => client);
    running = await runApi({ backupSource: source });
    const lease = await client.grantLease(600);
    for (let round = 0; round < 50; round++) {
      await client.put(`k${round % 7}`, `value ${round}`, round % 5 === 0 ? { lease: lease.id } : {});
    }
    await client.delete({ key: "k3" });
    await client.compact(30);
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    await server.close();
    await rm(folder, { recursive: true });
  });

  const keel = async (...argv: string[]): Promise<Ran> => {
    const env = { KEEL_ENDPOINT: `unix:${running.api.socket}` };
    return await runKeel(["store", ...argv], { env, cwd: folder });
  };
  const directory = async (name: string): Promise<string> => {
    await mkdir(join(folder, name));
    return name;
  };

  for (const direct of [false, true]) {
    test(`is proven, listed as that, and restored as the same store (${direct ? "directly" : "API"})`, async () => {
      const name = await directory(direct ? "direct" : "api");
      const to = direct ? ["--endpoints", endpoint] : [];
      const taken = await keel("backup", `${name}/b.db`, ...to);
      assert.equal(taken.code, 0, taken.stderr);
      const { hash, revision } = await client.hashKv();
      assert.match(taken.stdout, new RegExp(`revision ${revision}, proven \\(HashKV ${hash}\\)\\n$`));
      assert.deepEqual((await readdir(join(folder, name))).sort(), ["b.db", "b.db.json"]);
      assert.equal((await stat(join(folder, name, "b.db"))).mode & 0o777, 0o600);
      const manifest = JSON.parse(await readFile(join(folder, name, "b.db.json"), "utf8"));
      assert.deepEqual(
        [manifest.store, manifest.cluster, manifest.source.revision],
        [{ kind: "embedded", version: "3.5.16" }, direct ? endpoint : "test", revision],
      );
      assert.match((await keel("backup", "list", name)).stdout, /^FILE .*\nb\.db +\S+.* +proven +/);
      const dataDir = join(folder, `${name}-restored`);
      const restored = await keel("restore", `${name}/b.db`, "--data-dir", dataDir, "-o", "json");
      assert.equal(restored.json.revision, revision, restored.stderr);
      assert.match((await keel("restore", `${name}/b.db`, "--data-dir", dataDir)).stderr, /KEEL-723/);
      await using copy = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }] });
      await using other = new EtcdClient({ endpoints: [`127.0.0.1:${copy.addresses[0]?.port}`] });
      assert.equal((await other.hashKv()).hash, hash);
      assert.equal((await other.get("k0"))?.lease, (await client.get("k0"))?.lease);
    });
  }

  test("verify says what is proven, what can be restored and what is damaged; the list remembers", async () => {
    const name = await directory("verify");
    const file = join(folder, name, "b.db");
    await keel("backup", file);
    assert.match(
      (await keel("backup", "verify", file)).stdout,
      /b\.db is proven: revision \d+, 6 keys, 1 leases/,
    );
    const bytes = await readFile(file);
    await writeFile(join(folder, name, "bare.db"), bytes);
    assert.match(
      (await keel("backup", "verify", `${name}/bare.db`)).stdout,
      /bare\.db can be restored: .*not proven/,
    );
    assert.equal((await keel("backup", "verify", `${name}/absent.db`)).code, 1);
    for (const damage of ["flip", "cut", "more"]) {
      const place = Math.floor(bytes.length / 2);
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(place) ^ 1, place);
      await writeFile(
        file,
        damage === "flip" ? flipped : damage === "cut" ? bytes.subarray(0, place) : bytes,
      );
      if (damage === "more") await appendFile(file, "more");
      const { code, stderr } = await keel("backup", "verify", file);
      assert.equal(code, 1, damage);
      assert.match(stderr, /KEEL-721/);
      assert.equal((await keel("restore", file, "--data-dir", join(folder, name, damage))).code, 1);
    }
    const { backups } = (await keel("backup", "list", name, "-o", "json")).json;
    const states = Object.fromEntries(
      backups.map((one: { file: string; state: string }) => [one.file.split("/").at(-1), one.state]),
    );
    assert.deepEqual(states, { "b.db": "failed", "bare.db": "never proven" });
    await writeFile(file, bytes);
    assert.equal((await keel("backup", "verify", file)).code, 0);
    assert.match((await keel("backup", "list", name)).stdout, /b\.db +\S.* proven/);
    assert.deepEqual(
      (await readdir(join(folder, name))).filter((entry) => entry.startsWith(".")),
      [],
      "nothing is left of the trials",
    );
  });

  test("a file is not overwritten unasked, and a failing source leaves nothing", async () => {
    const name = await directory("failing");
    const file = join(folder, name, "b.db");
    await keel("backup", file);
    const before = await readFile(file);
    assert.equal((await keel("backup", file)).code, 2);
    assert.equal((await keel("backup", file, "--replace")).code, 0);
    const failing: BackupSource = {
      describe: () => source.describe(),
      hashKv: (revision) => source.hashKv(revision),
      async *snapshot() {
        yield before.subarray(0, 4096);
        await Promise.reject(new Error("the connection ended"));
      },
    };
    const { signal } = new AbortController();
    const other = join(folder, name, "other.db");
    await assert.rejects(
      takeBackup({ source: failing, file: other, cluster: "test", now: Date.now, signal }),
      /the connection ended/,
    );
    assert.deepEqual((await readdir(join(folder, name))).sort(), ["b.db", "b.db.json"]);
  });

  test("a backup that is not what its source was is told, and shown as failed", async () => {
    const name = await directory("other");
    const file = join(folder, name, "b.db");
    const lying: BackupSource = {
      describe: () => source.describe(),
      snapshot: (signal) => source.snapshot(signal),
      hashKv: async (revision) => ({ ...(await source.hashKv(revision)), hash: 1 }),
    };
    const { signal } = new AbortController();
    await assert.rejects(takeBackup({ source: lying, file, cluster: "test", now: Date.now, signal }), {
      code: "KEEL-722",
    });
    assert.match((await keel("backup", "list", name)).stdout, /b\.db .*failed .*HashKV is 1 at the source/);
  });

  test("a store that was compacted at its current revision is proven too", async () => {
    const name = await directory("compacted");
    const { revision } = await client.put("k0", "again");
    await client.compact(revision, { physical: true });
    const { code, stderr } = await keel("backup", `${name}/b.db`);
    assert.equal(code, 0, stderr);
    assert.equal((await keel("backup", "verify", `${name}/b.db`)).code, 0);
  });

  test("nothing of the store is handed out on TCP", async () => {
    const port = running.api.listening[0]?.port ?? 0;
    for (const path of ["/v1/store/snapshot", "/v1/store/hash?revision=2", "/v1/store/kind"]) {
      assert.equal((await running.ask({ path, port })).status, 403);
    }
    assert.equal((await running.ask({ path: "/v1/store/hash?revision=-2" })).status, 400);
    assert.equal((await running.ask({ path: "/v1/store/hash?revision=2" })).json.error.code, "KEEL-713");
  });
});
