import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { EtcdClient, RPC, type EtcdError } from "../../src/client/index.ts";
import { sealOf, type SourceSeal } from "../../src/migration/seal.ts";
import { EtcdServer } from "../../src/server/index.ts";

const SECRET = "a token that nobody guesses";
const once = { attempts: 1 };

describe("a sealed store", () => {
  let dataDir: string;
  let server: EtcdServer;
  let client: EtcdClient;

  const start = async (): Promise<void> => {
    server = await EtcdServer.start({
      dataDir,
      listen: [{ host: "127.0.0.1", port: 0 }],
      limits: { snapshotCount: 5 },
    });
    client = new EtcdClient({ endpoints: [`127.0.0.1:${server.addresses[0]?.port}`], deadlineMs: 30_000 });
  };
  const stop = async (): Promise<void> => {
    await client[Symbol.asyncDispose]();
    await server.close();
  };
  const sealed = (secret = SECRET): Promise<SourceSeal> =>
    sealOf({ source: client, secret, reason: "it grows", successor: ["http://10.0.0.1:2379"] });

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "keelson-seal-"));
    await start();
  });
  afterEach(async () => {
    await stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  test("refuses every change with one message that says where it goes on, and still is read", async () => {
    await client.put("a", "1");
    const lease = await client.grantLease(60);
    const seal = await sealed();
    await seal.close();
    await seal.close();
    const changes: readonly (() => Promise<unknown>)[] = [
      () => client.put("a", "2", once),
      () => client.delete({ key: "a" }, once),
      () =>
        client.call(
          RPC.txn,
          { success: [{ request: { case: "requestDeleteRange", value: { key: Buffer.from("a") } } }] },
          once,
        ),
      () => client.compact(2, once),
      () => client.grantLease(10, 0n, once),
      () => client.revokeLease(lease.id, once),
    ];
    for (const change of changes) {
      await assert.rejects(change, (error: EtcdError) => {
        assert.equal(error.code, "SEALED");
        assert.equal(error.grpcStatus, 14);
        assert.match(
          error.message,
          /keelson: the store is being moved and takes no writes \(it grows\)\. It will go on at http:\/\/10\.0\.0\.1:2379$/,
        );
        return true;
      });
    }
    assert.equal((await client.get("a"))?.modRevision, 2);
    assert.equal((await client.keepAliveOnce(lease.id)).ttlSeconds, 60);
    await seal.handOver();
    await assert.rejects(client.keepAliveOnce(lease.id, once), /the store has moved .*Use http:/);
  });

  test("stays sealed through a restart, from the log and from a snapshot, until it is opened", async () => {
    for (const puts of [1, 20]) {
      for (let count = 0; count < puts; count++) await client.put("a", String(count));
      await (await sealed()).close();
      await stop();
      await start();
      await assert.rejects(client.put("a", "x", once), { code: "SEALED" });
      await (await sealed()).open();
      await (await sealed()).open();
      await client.put("a", "y");
    }
  });

  test("lets through what has its token, and nobody else", async () => {
    const seal = await sealed();
    const put = { key: Buffer.from("last"), value: Buffer.from("1") };
    const txn = { success: [{ request: { case: "requestPut" as const, value: put } }] };
    await assert.rejects(seal.write(txn), { message: /there is no seal/ });
    await seal.close();
    const other = await sealed("another token, just as long");
    await assert.rejects(other.close(), { code: "SEALED" });
    await assert.rejects(other.write(txn), { code: "PERMISSION_DENIED" });
    await assert.rejects(other.open(), { code: "PERMISSION_DENIED" });
    assert.equal(await seal.write(txn), 2);
    await stop();
    await start();
    assert.equal((await client.get("last"))?.modRevision, 2);
    assert.equal(await (await sealed()).write(txn), 3);
    await assert.rejects((await sealed("too short")).close(), { code: "INVALID_ARGUMENT" });
  });

  test("ends no lease while it is sealed, and the leases have lost no time when it is opened", async () => {
    const lease = await client.grantLease(4);
    await client.put("held", "", { lease: lease.id });
    const seal = await sealed();
    await seal.close();
    await new Promise((resolve) => setTimeout(resolve, 4600));
    assert.ok(await client.get("held"));
    await seal.open();
    await client.keepAliveOnce(lease.id);
    assert.ok(await client.get("held"));
  });
});
