// Backups of a real etcd: taken and proven here, restored here and there.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdClient, op } from "../../packages/etcd/src/client/index.ts";
import { restoreSnapshot } from "../../packages/etcd/src/server/index.ts";
import { takeBackup, verifyBackup } from "../../packages/keelson/src/backup/take-backup.ts";
import { EtcdBackupSource } from "../../packages/keelson/src/registry/backup-source.ts";
import { embedded, etcd35, PATIENCE_MS, realEtcd } from "./support/servers.ts";

const tools = await etcd35();

describe("a backup of a real etcd", { skip: "unavailable" in tools ? tools.unavailable : false }, () => {
  test("is proven while others write and compact, and is the same store when restored", async () => {
    if ("unavailable" in tools) return;
    await using opened = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "keelson-backup-"));
    opened.defer(() => rm(folder, { recursive: true }));
    const etcd = opened.use(await realEtcd(tools.etcd));
    const client = opened.use(new EtcdClient({ endpoints: [etcd.address], deadlineMs: PATIENCE_MS }));
    const lease = await client.grantLease(600);
    for (let round = 0; round < 60; round++) {
      await client.put(`k${round % 9}`, `${round}`, round % 4 === 0 ? { lease: lease.id } : {});
    }
    await client.txn({
      compare: [],
      success: [op.put("a", "1"), op.put("b", "2"), op.delete({ key: "k3" })],
    });
    await client.compact(40, { physical: true });

    let isWriting = true;
    const writing = (async () => {
      for (let round = 0; isWriting; round++) {
        const { revision } = await client.put("busy", String(round));
        if (round % 300 === 100) await client.compact(revision - 50);
      }
    })();
    const file = join(folder, "etcd.db");
    const source = new EtcdBackupSource(() => client);
    const { signal } = new AbortController();
    const options = { source, file, cluster: "real", now: Date.now, signal };
    opened.defer(() => writing.catch(() => undefined));
    const manifest = await takeBackup(options).finally(() => (isWriting = false));
    await writing;
    assert.deepEqual(manifest.store, { kind: "etcd", version: "3.5.16" });
    assert.ok(manifest.provenAt !== undefined);
    assert.equal((await verifyBackup(file, Date.now)).outcome, "proven");

    const dataDir = join(folder, "restored");
    const restored = await restoreSnapshot({ file, dataDir });
    assert.equal(restored.revision, manifest.source?.revision);
    const copy = opened.use(await embedded({ dataDir }));
    const other = opened.use(new EtcdClient({ endpoints: [copy.address], deadlineMs: PATIENCE_MS }));
    assert.equal((await other.hashKv()).hash, manifest.source?.hash);
    assert.equal((await other.leaseTimeToLive(lease.id))?.grantedTtlSeconds, 600);
    assert.equal(await other.get("k3"), undefined);
  });
});
