// A live store moved between this server and etcd 3.5, with clients at work; and movers that die at each step.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdClient, op } from "../../packages/etcd/src/client/index.ts";
import { rpc } from "../../packages/etcd/src/client/rpc.ts";
import { migrate, undoMigration } from "../../packages/etcd/src/migration/index.ts";
import type { MigrationOptions } from "../../packages/etcd/src/migration/index.ts";
import { Auth } from "../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { spawnBound } from "../../packages/etcd/test/bound-process.ts";
import { loopbackCluster } from "./support/loopback-cluster.ts";
import type { MigrationTask } from "./support/migration-main.ts";
import { Holder, LOCATION, Watcher, Writer } from "./support/moving-load.ts";
import type { Stores } from "./support/moving-load.ts";
import { embedded, etcd35, PATIENCE_MS, realEtcd } from "./support/servers.ts";
import type { TestServer } from "./support/servers.ts";

const tools = await etcd35();
const skip = "unavailable" in tools ? tools.unavailable : false;
const etcd = (): Promise<TestServer> => realEtcd("unavailable" in tools ? "" : tools.etcd);

/** A client that a busy machine does not make impatient. */
const clientOf = (...endpoints: readonly string[]): EtcdClient =>
  new EtcdClient({ endpoints, deadlineMs: PATIENCE_MS });

/** A past with leases, deletions, transactions and a compaction. Returns a lease that has keys. */
async function fill(client: EtcdClient, { isCompacted }: { readonly isCompacted: boolean }): Promise<bigint> {
  const lease = await client.grantLease(60);
  const gone = await client.grantLease(100);
  await client.grantLease(200, 0x77n);
  for (let round = 0; round < 120; round++) {
    const held = round % 9 === 0 ? { lease: lease.id } : round % 31 === 0 ? { lease: gone.id } : {};
    await client.put(`/a/${round % 13}`, `v${round}`, held);
    if (round % 20 === 7) await client.delete({ key: `/a/${round % 13}` });
    if (round % 50 === 3) {
      const puts = Array.from({ length: 40 }, (_, place) => op.put(`/b/${place}`, `${round}`));
      await client.txn({ compare: [], success: [...puts, op.delete({ prefix: "/a/1" })] });
    }
  }
  await client.put("/held", "", { lease: gone.id });
  await client.revokeLease(gone.id);
  for (let first = 0; first < 500; first += 100) {
    const puts = Array.from({ length: 100 }, (_, place) => op.put(`/many/${first + place}`, "x"));
    await client.txn({ compare: [], success: puts });
  }
  const { revision } = await client.delete({ prefix: "/many/" });
  if (isCompacted) await client.compact(revision - 20, { physical: true });
  await client.put("/held", "", { lease: lease.id });
  return lease.id;
}

async function same({ from, to }: Stores): Promise<void> {
  const [source, target] = [await from.hashKv(), await to.hashKv()];
  assert.deepEqual(target, source);
}

describe("a move", { skip, concurrency: 3 }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-moves-"));
  });
  after(() => rm(folder, { recursive: true }));

  let moves = 0;
  const optionsOf = (from: string, to: readonly string[]): MigrationOptions => ({
    from: { endpoints: [from] },
    to: { endpoints: to },
    journal: join(folder, `journal-${++moves}`),
    successor: to,
    handOver: async (last) => void (await last.put(LOCATION, to.join(","))),
  });

  const directions = [
    { name: "from the embedded server to etcd", from: embedded, to: etcd, isCompacted: true },
    { name: "from the embedded server with its whole history", from: embedded, to: etcd, isCompacted: false },
    { name: "from etcd to the embedded server", from: etcd, to: embedded, isCompacted: true },
  ];
  for (const { name, from, to, isCompacted } of directions) {
    test(`${name}: nothing is lost, doubled or seen twice, and leases live on`, async () => {
      await using opened = new AsyncDisposableStack();
      const source = opened.use(await from());
      const target = opened.use(await to());
      const here = opened.use(clientOf(source.address));
      const there = opened.use(clientOf(target.address));
      const stores = { from: here, to: there };
      const lease = await fill(here, { isCompacted });
      const holder = new Holder(stores, lease);
      opened.defer(() => holder.stop());
      await holder.begun;
      const { revision: start } = await here.range({ key: "a" });
      const watcher = new Watcher(stores, start + 1);
      opened.defer(() => watcher.stop());
      const writers = [1, 2, 3, 4].map(
        (number) => new Writer(stores, `w${number}`, number === 4 ? lease : 0n),
      );
      for (const writer of writers) opened.defer(() => writer.stop());
      const short = await here.grantLease(5);
      await here.put("short", "", { lease: short.id });

      const result = await migrate(optionsOf(source.address, [target.address]));
      const atSwitch = writers.map(({ count }) => count);
      const goOn = (): boolean => writers.every(({ count }, place) => count > (atSwitch[place] ?? 0) + 20);
      await waitFor(() => Promise.resolve(goOn() || writers.some(({ failure }) => failure !== undefined)));
      for (const writer of writers) await writer.stop();
      for (const [place, { key, count }] of writers.entries()) {
        assert.ok(count > (atSwitch[place] ?? 0), `${key} goes on at the target`);
        const kept = await there.get(key);
        assert.deepEqual([String(kept?.value), kept?.version], [String(count), count], key);
      }
      const moved = await there.get(LOCATION);
      assert.equal(moved?.modRevision, result.revision);
      assert.deepEqual(
        await here.hashKv(result.revision).catch(() => "sealed"),
        isSealedEtcd(from)
          ? "sealed"
          : {
              ...(await there.hashKv(result.revision)),
              revision: result.revision,
            },
      );
      await waitFor(async () => (await there.leaseTimeToLive(0x77n))?.grantedTtlSeconds === 200);
      assert.ok(holder.here > 0);
      await waitFor(() => Promise.resolve(holder.there > 0));
      assert.ok((await there.leaseTimeToLive(lease, { keys: true }))?.keys.includes("/held"));
      await waitFor(async () => (await there.get("short")) === undefined);
      holder.stop();
      await waitFor(async () => {
        const last = (await there.range({ key: "a" })).revision;
        return watcher.events.at(-1)?.kv.modRevision === last;
      });
      await watcher.stop();
      const seen = watcher.events.map(
        ({ type, kv }) => `${type} ${kv.key} ${kv.modRevision} ${String(kv.value)}`,
      );
      const all: string[] = [];
      const ending = new AbortController();
      const options = { startRevision: start + 1, signal: ending.signal };
      for await (const { events } of there.watch({ prefix: "" }, options)) {
        for (const { type, kv } of events)
          all.push(`${type} ${kv.key} ${kv.modRevision} ${String(kv.value)}`);
        if (all.length >= seen.length) ending.abort();
      }
      assert.deepEqual(seen, all);
    });
  }

  test("to a cluster of three members and back", async () => {
    if ("unavailable" in tools) return;
    await using source = await embedded();
    await using cluster = await loopbackCluster(tools.etcd);
    await using back = await embedded();
    await using here = clientOf(source.address);
    await using there = clientOf(...cluster.addresses);
    await using again = clientOf(back.address);
    await fill(here, { isCompacted: true });
    const first = await migrate(optionsOf(source.address, cluster.addresses));
    await same({ from: here, to: there });
    await there.put("later", "1");
    const options = { ...optionsOf("", [back.address]), from: { endpoints: cluster.addresses } };
    // The record of the first move is a key like any other: the second one writes it anew.
    const second = await migrate(options);
    assert.equal(second.revision, first.revision + 2);
    assert.equal((await again.get("later"))?.modRevision, first.revision + 1);
    assert.equal((await again.hashKv()).hash, second.hash);
  });

  test("is refused where it cannot be: a target in use, a journal of another move, users", async () => {
    await using source = await embedded();
    await using target = await etcd();
    await using here = clientOf(source.address);
    await using there = clientOf(target.address);
    await there.put("used", "");
    const refused = { code: "MIGRATION_REFUSED" };
    await assert.rejects(migrate(optionsOf(source.address, [target.address])), {
      ...refused,
      message: /not empty/,
    });
    await here.put("a", "still writable");
    const member = rpc(Auth.method.userAdd);
    await here.call(member, { name: "ada", password: "secret" });
    await using empty = await embedded();
    const users = { ...refused, message: /has users \(ada\)/ };
    await assert.rejects(migrate(optionsOf(source.address, [empty.address])), users);
    await assert.rejects(undoMigration(optionsOf(source.address, [target.address])), refused);
  });

  test("a hand-over that fails leaves the source as it was, the embedded one and an etcd", async () => {
    for (const from of [embedded, etcd]) {
      await using source = await from();
      await using target = await embedded();
      await using here = clientOf(source.address);
      const lease = await fill(here, { isCompacted: true });
      const options = optionsOf(source.address, [target.address]);
      const failing = { ...options, handOver: () => Promise.reject(new Error("nobody to tell")) };
      await assert.rejects(migrate(failing), { code: "MIGRATION_FAILED", message: /nobody to tell/ });
      await here.put("a", "writable again");
      await here.keepAliveOnce(lease);
      await using other = await embedded();
      await migrate(optionsOf(source.address, [other.address]));
    }
  });

  const steps = ["copying", "following", "sealing", "draining", "verifying", "before the write"];
  for (const [kind, from] of [["the embedded server", embedded] as const, ["etcd", etcd] as const]) {
    test(`a mover of ${kind} that dies at any step is undone: the source serves as before`, async () => {
      for (const dieAt of steps) {
        await using source = await from();
        await using target = await embedded();
        await using here = clientOf(source.address);
        await fill(here, { isCompacted: true });
        const task = taskOf(source.address, target.address, dieAt);
        assert.equal(await runMover(task), "killed", dieAt);
        assert.equal((await stat(task.journal)).mode & 0o777, 0o600);
        await undoMigration({ ...optionsOf(source.address, [target.address]), journal: task.journal });
        await here.put("a", dieAt);
        await assert.rejects(stat(task.journal), { code: "ENOENT" });
      }
    });

    test(`a mover of ${kind} that dies at any step is resumed, and nothing is lost or doubled`, async () => {
      for (const dieAt of [...steps.slice(1), "after the write", "done"]) {
        await using source = await from();
        await using target = await embedded();
        await using here = clientOf(source.address);
        await using there = clientOf(target.address);
        const lease = await fill(here, { isCompacted: true });
        await using opened = new AsyncDisposableStack();
        const writer = new Writer({ from: here, to: there }, "w");
        opened.defer(() => writer.stop());
        const holder = new Holder({ from: here, to: there }, lease);
        opened.defer(() => holder.stop());
        await holder.begun;
        const task = taskOf(source.address, target.address, dieAt);
        assert.equal(await runMover(task), "killed", dieAt);
        if (dieAt !== "done")
          assert.equal(await runMover({ ...task, dieAt: "", resume: true }), "done", dieAt);
        const { count } = writer;
        await waitFor(() => Promise.resolve(writer.count > count));
        await writer.stop();
        holder.stop();
        const kept = await there.get("w");
        assert.deepEqual([String(kept?.value), kept?.version], [String(writer.count), writer.count], dieAt);
        assert.equal((await there.get(LOCATION))?.version, 1);
        assert.ok(await there.leaseTimeToLive(lease), dieAt);
        await assert.rejects(stat(task.journal), { code: "ENOENT" });
      }
    });
  }

  test("what the source has told others cannot be undone", async () => {
    await using source = await embedded();
    await using target = await embedded();
    await using here = clientOf(source.address);
    await fill(here, { isCompacted: false });
    const task = taskOf(source.address, target.address, "after the write");
    await runMover(task);
    const undo = undoMigration({ ...optionsOf(source.address, [target.address]), journal: task.journal });
    await assert.rejects(undo, { code: "MIGRATION_REFUSED", message: /can only be finished/ });
    assert.equal(await runMover({ ...task, dieAt: "", resume: true }), "done");
    await assert.rejects(here.put("a", "", { attempts: 1 }), { code: "SEALED" });
  });

  function taskOf(from: string, to: string, dieAt: string): MigrationTask {
    return { from, to, journal: join(folder, `journal-${++moves}`), dieAt, resume: false };
  }
});

function isSealedEtcd(from: () => Promise<TestServer>): boolean {
  return from === etcd;
}

async function runMover(task: MigrationTask): Promise<string> {
  const main = join(import.meta.dirname, "support/migration-main.ts");
  const mover = spawnBound([process.execPath, main, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  mover.stdout?.on("data", (text: Buffer) => (said += text.toString()));
  mover.stderr?.on("data", (text: Buffer) => (said += text.toString()));
  const [, signal] = (await once(mover, "exit")) as [number | null, string | null];
  if (signal === "SIGKILL") return "killed";
  return said.startsWith("done") ? "done" : said;
}

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) assert.fail(`never came true: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
