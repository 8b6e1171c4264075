// Snapshots cross over: what one kind of server wrote, the other kind restores, with the same history.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { EtcdClient } from "../../packages/etcd/src/client/index.ts";
import { restoreSnapshot } from "../../packages/etcd/src/server/index.ts";
import { Auth } from "../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import { plain, RawClient } from "./support/raw-client.ts";
import { seeded } from "../../packages/etcd/test/seeded.ts";
import { RandomRequests } from "./support/random-requests.ts";
import { carryOut } from "./support/carry-out.ts";
import { embedded, etcd35, PATIENCE_MS, realEtcd } from "./support/servers.ts";
import type { TestServer } from "./support/servers.ts";

const SEED = Number(process.env["KEELSON_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const tools = await etcd35();
const run = promisify(execFile);
/** Debian bookworm's: 3.4. */
const OLD = { etcd: "/usr/bin/etcd", etcdctl: "/usr/bin/etcdctl" };

describe("snapshots cross over", { skip: "unavailable" in tools && tools.unavailable }, () => {
  let scratch = "";
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "keelson-snapshots-"));
  });
  after(() => rm(scratch, { recursive: true, force: true }));

  it("from the embedded server to etcd 3.5 and 3.4", async (t) => {
    if ("unavailable" in tools) return;
    t.diagnostic(`KEELSON_TEST_SEED=${SEED}`);
    await using ours = await embedded();
    await fill(ours.address);
    const file = join(scratch, "ours.db");
    await save(ours.address, file);
    const expected = await contents(ours.address);
    const etcdutl = join(tools.etcd, "../etcdutl");
    const status = JSON.parse((await run(etcdutl, ["snapshot", "status", file, "-w", "json"])).stdout) as {
      revision: number;
    };
    assert.equal(status.revision, expected.revision);
    const restorers = [{ restore: etcdutl, etcd: tools.etcd }];
    if (existsSync(OLD.etcd)) restorers.push({ restore: OLD.etcdctl, etcd: OLD.etcd });
    for (const { restore, etcd } of restorers) {
      const dataDir = join(scratch, `by-${restorers.findIndex((one) => one.etcd === etcd)}`);
      await run(restore, ["snapshot", "restore", file, "--data-dir", dataDir], {
        env: { ...process.env, ETCDCTL_API: "3" },
      });
      await using restored = await realEtcd(etcd, [`--data-dir=${dataDir}`]);
      assert.deepEqual(await contents(restored.address), expected, `restored by ${restore}`);
    }
  });

  it("from etcd to the embedded server, and from there to another one", async () => {
    if ("unavailable" in tools) return;
    await using real = await realEtcd(tools.etcd);
    await fill(real.address);
    let expected = await contents(real.address);
    let from: TestServer = real;
    for (const generation of ["first", "second"]) {
      const file = join(scratch, `${generation}.db`);
      const dataDir = join(scratch, generation);
      await save(from.address, file);
      const restored = await restoreSnapshot({ file, dataDir });
      assert.equal(restored.revision, expected.revision);
      {
        await using server = await embedded({ dataDir });
        assert.deepEqual(await contents(server.address), expected);
      }
      // It goes on from there, and after a restart.
      const next = await embedded({ dataDir });
      using client = new RawClient(next.address);
      await client.call(KV.method.put, { key: Buffer.from(generation) });
      expected = await contents(next.address);
      if (from !== real) await from[Symbol.asyncDispose]();
      from = next;
    }
    await from[Symbol.asyncDispose]();
  });

  it("with users, roles and their passwords, in both directions", async () => {
    if ("unavailable" in tools) return;
    const [first, second] = [join(scratch, "auth-ours"), join(scratch, "auth-real")];
    const logsIn = async (address: string): Promise<void> => {
      using client = new RawClient(address);
      const right = await client.call(Auth.method.authenticate, { name: "root", password: "secret" });
      assert.ok("ok" in right);
      const wrong = await client.call(Auth.method.authenticate, { name: "root", password: "wrong" });
      assert.ok("refused" in wrong);
      const anonymous = await client.call(KV.method.range, { key: Buffer.from("a") });
      assert.deepEqual(plain(KV.method.range, anonymous), {
        refused: { code: 3, message: "etcdserver: user name is empty" },
      });
    };
    {
      await using real = await realEtcd(tools.etcd);
      await enableAuth(real.address);
      await save(real.address, `${first}.db`, "root:secret");
    }
    await restoreSnapshot({ file: `${first}.db`, dataDir: first });
    {
      await using ours = await embedded({ dataDir: first });
      await logsIn(ours.address);
      await save(ours.address, `${second}.db`, "root:secret");
    }
    await run(join(tools.etcd, "../etcdutl"), ["snapshot", "restore", `${second}.db`, "--data-dir", second]);
    await using again = await realEtcd(tools.etcd, [`--data-dir=${second}`]);
    await logsIn(again.address);
  });
});

async function enableAuth(address: string): Promise<void> {
  using client = new RawClient(address);
  const { userAdd, userGrantRole, roleAdd, roleGrantPermission, authEnable } = Auth.method;
  await client.call(userAdd, { name: "root", password: "secret" });
  await client.call(userGrantRole, { user: "root", role: "root" });
  await client.call(roleAdd, { name: "reader" });
  await client.call(roleGrantPermission, {
    name: "reader",
    perm: { key: Buffer.from("a"), rangeEnd: Buffer.from("b") },
  });
  const enabled = await client.call(authEnable, {});
  assert.ok("ok" in enabled);
}

/** A random history with compactions and leases. */
async function fill(address: string): Promise<void> {
  using client = new RawClient(address);
  const random = new RandomRequests(seeded(SEED));
  let revision = 1;
  for (let count = 0; count < 400; count++) {
    const answer = (await carryOut(client, random.next(revision))) as { header?: { revision?: string } };
    revision = Number(answer.header?.revision ?? revision);
  }
  await client.call(KV.method.put, { key: Buffer.from("large"), value: Buffer.alloc(100_000, "x") });
  await client.call(KV.method.compact, { revision: BigInt(revision), physical: true });
  await client.call(KV.method.deleteRange, { key: Buffer.from("a") });
}

interface Contents {
  readonly revision: number;
  readonly hash: number;
  readonly compactRevision: number;
  readonly keys: unknown;
  readonly leases: unknown;
}

async function contents(address: string): Promise<Contents> {
  using client = new RawClient(address);
  await using etcd = new EtcdClient({ endpoints: [address], deadlineMs: PATIENCE_MS });
  const { hash, revision, compactRevision } = await etcd.hashKv();
  const all = Buffer.from("\0");
  const keys = plain(KV.method.range, await client.call(KV.method.range, { key: all, rangeEnd: all }));
  const listed = await client.call(Lease.method.leaseLeases, {});
  assert.ok("ok" in listed);
  const leases = await Promise.all(
    listed.ok.leases
      .map(({ ID }) => ID)
      .toSorted((a, b) => Number(a - b))
      .map(async (ID) => {
        const answer = await client.call(Lease.method.leaseTimeToLive, { ID, keys: true });
        assert.ok("ok" in answer);
        const attached = answer.ok.keys.map((key) => Buffer.from(key).toString("latin1"));
        return [ID, answer.ok.grantedTTL, attached.toSorted()];
      }),
  );
  return { hash, revision, compactRevision, keys, leases };
}

async function save(address: string, file: string, user?: string): Promise<void> {
  if (user === undefined) {
    await using client = new EtcdClient({ endpoints: [address], deadlineMs: PATIENCE_MS });
    await pipeline(client.snapshot(), createWriteStream(file));
    return;
  }
  if ("unavailable" in tools) return;
  await run(tools.etcdctl, [`--endpoints=${address}`, `--user=${user}`, "snapshot", "save", file]);
}
