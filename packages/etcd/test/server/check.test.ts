import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdClient } from "../../src/client/index.ts";
import { checkStore, EtcdServer } from "../../src/server/index.ts";
import { scratch } from "../disk/scratch.ts";

async function serve(dataDir: string, work: (client: EtcdClient) => Promise<void>): Promise<void> {
  await using server = await EtcdServer.start({
    dataDir,
    listen: [{ host: "127.0.0.1", port: 0 }],
    limits: { snapshotCount: 20 },
  });
  await using client = new EtcdClient({
    endpoints: [`127.0.0.1:${server.addresses[0]?.port}`],
    deadlineMs: 30_000,
  });
  await work(client);
}

describe("checking a store", () => {
  test("says what the store holds, as the store itself does", async () => {
    await using dir = await scratch();
    await serve(dir.path, async (client) => {
      for (let count = 0; count < 50; count++) await client.put(`key/${count % 7}`, String(count));
      await client.delete({ key: "key/0" });
      await client.compact(20);
      await assert.rejects(checkStore({ dataDir: dir.path }), { code: "STORE_IN_USE" });
    });
    const check = await checkStore({ dataDir: dir.path });
    assert.deepEqual(check.damage, []);
    assert.deepEqual([check.revision, check.compactRevision, check.keys], [52, 20, 6]);
    assert.equal(check.snapshots.length, 1);
    await serve(dir.path, async (client) => {
      assert.equal((await client.range({ prefix: "" })).revision, 52);
    });
  });

  test("keeps where other members would find it, in the log and in snapshots", async () => {
    await using dir = await scratch();
    const urls = ["http://10.0.0.1:2380", "http://10.0.0.2:2380"];
    await serve(dir.path, async (client) => {
      const [member] = await client.memberList();
      await client.memberUpdate(member?.id ?? 0n, urls);
    });
    for (const writes of [30, 0]) {
      await serve(dir.path, async (client) => {
        assert.deepEqual((await client.memberList())[0]?.peerUrls, urls);
        for (let count = 0; count < writes; count++) await client.put("k", String(count));
      });
    }
    assert.equal((await checkStore({ dataDir: dir.path })).snapshots.length, 1);
  });

  test("finds a flipped byte, and the store refuses to start with it", async () => {
    await using dir = await scratch();
    await serve(dir.path, async (client) => {
      await client.put("a", "1");
      await client.put("b", "2");
    });
    const [name = ""] = await readdir(join(dir.path, "log"));
    const file = join(dir.path, "log", name);
    const bytes = await readFile(file);
    bytes[90] = (bytes[90] as number) ^ 1;
    await writeFile(file, bytes);
    const { damage } = await checkStore({ dataDir: dir.path });
    assert.equal(damage.length, 1);
    assert.equal(damage[0]?.path, file);
    await assert.rejects(
      serve(dir.path, async () => undefined),
      { code: "STORE_DAMAGED", message: /damaged at byte 64/ },
    );
  });
});
