import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdClient } from "@keelson/etcd/client";
import { EtcdServer } from "@keelson/etcd/server";
import { listBackups } from "../../src/backup/backup-directory.ts";
import { runBackups } from "../../src/backup/backup-loop.ts";
import { readStatus } from "../../src/backup/status.ts";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { BackupSource } from "../../src/model/backup.ts";
import { EtcdBackupSource } from "../../src/registry/backup-source.ts";

describe("backups by a schedule", () => {
  test("are taken when due, kept by the rule, and their failures seen", async () => {
    await using opened = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "keelson-backups-"));
    opened.defer(() => rm(folder, { recursive: true }));
    const dataDir = join(folder, "store");
    const listen = [{ host: "127.0.0.1", port: 0 }];
    const server = opened.use(await EtcdServer.start({ dataDir, listen }));
    const client = opened.use(new EtcdClient({ endpoints: [`127.0.0.1:${server.addresses[0]?.port}`] }));
    await client.put("a", "1");

    let wall = Date.UTC(2026, 0, 1);
    let slept = 0;
    let isBroken = false;
    const ending = new AbortController();
    const clock: Clock = {
      ...systemClock,
      wall: () => wall,
      // Time passes only while the loop sleeps.
      sleep: async (ms) => {
        wall += ms;
        slept += ms;
        isBroken = slept >= 5 * 3_600_000 && slept < 6 * 3_600_000;
        if (slept >= 12 * 3_600_000) ending.abort(new Error("enough"));
        ending.signal.throwIfAborted();
      },
    };
    const good = new EtcdBackupSource(() => client);
    const directory = join(folder, "backups");
    const failures: string[] = [];
    const source: BackupSource = {
      describe: () => good.describe(),
      hashKv: (revision) => good.hashKv(revision),
      snapshot: (signal) => {
        if (!isBroken) return good.snapshot(signal);
        failures.push("broken");
        throw new Error("the store is broken");
      },
    };
    const metrics = new Metrics();
    const keep = { last: 2, daily: 1, weekly: 0, monthly: 0 };
    const options = { source, directory, cluster: "test", schedule: "every 1h", keep, clock, metrics };
    await assert.rejects(runBackups({ ...options, log: silentLog }, ending.signal), /enough/);

    const found = await listBackups(directory);
    assert.deepEqual(
      found.map(({ state }) => state),
      ["proven", "proven"],
    );
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    assert.ok(failures.length > 1, "a failure is tried again");
    const text = metrics.render();
    assert.match(text, new RegExp(`keelson_backup_failures_total ${failures.length}\n`));
    assert.match(text, new RegExp(`keelson_backup_last_proven_seconds ${(found[0]?.takenAt ?? 0) / 1000}\n`));
    assert.deepEqual(await readStatus(directory), { failure: null });
    assert.equal((await readdir(directory)).length, 5);
  });
});
