// Real members of etcd 3.4 and 3.5 are made into clusters by the discovery service.
// KEELSON_TEST_CLUSTERS sets how many simulated ones meet at once.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { EtcdClient } from "../../packages/etcd/src/client/index.ts";
import { EtcdServer } from "../../packages/etcd/src/server/index.ts";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { silentLog } from "../../packages/keelson/src/base/log.ts";
import { DiscoveryService } from "../../packages/keelson/src/discovery/service.ts";
import { ComingMember, DiscoveryProcess } from "./support/discovery.ts";
import { etcd35, PATIENCE_MS, untilServing } from "./support/servers.ts";

const version = await promisify(execFile)("etcd", ["--version"]).then(
  ({ stdout }) => stdout,
  () => "",
);
const CLUSTERS = Number(process.env["KEELSON_TEST_CLUSTERS"] ?? 40);

const tools = await etcd35();
const etcds = {
  "etcd 3.4": /etcd Version: 3\.4/.test(version) ? { etcd: "etcd" } : { unavailable: "no etcd 3.4 here" },
  "etcd 3.5": tools,
} as const;

const namesOf = async (member: ComingMember): Promise<readonly string[]> => {
  await using client = new EtcdClient({ endpoints: [member.client], deadlineMs: PATIENCE_MS });
  return (await client.memberList()).map(({ name }) => name).toSorted();
};

for (const [name, found] of Object.entries(etcds)) {
  const skip = "unavailable" in found && found.unavailable;
  const etcd = "etcd" in found ? found.etcd : "";
  describe(`the discovery service and ${name}`, { skip }, () => {
    test("three members that start together are a cluster, and a fourth is too many", async () => {
      await using service = await DiscoveryProcess.start();
      const token = await service.mint(3);
      await using members = new AsyncDisposableStack();
      const started = [];
      for (const one of ["m1", "m2", "m3"])
        started.push(members.use(await ComingMember.start(etcd, one, token)));
      await Promise.all(started.map(({ client }) => untilServing(client)));
      for (const member of started) assert.deepEqual(await namesOf(member), ["m1", "m2", "m3"]);
      await using surplus = await ComingMember.start(etcd, "m4", token);
      assert.notEqual(await surplus.ended, 0);
      assert.match(surplus.log, /discovery: cluster is full/);
    });

    test("a member that comes late completes the cluster, also after the service was restarted", async () => {
      await using service = await DiscoveryProcess.start();
      const token = await service.mint(3);
      await using members = new AsyncDisposableStack();
      const first = members.use(await ComingMember.start(etcd, "m1", token));
      await untilCome(token, 1);
      const second = members.use(await ComingMember.start(etcd, "m2", token));
      await untilCome(token, 2);
      await service.end("SIGKILL");
      await service.restart();
      await untilCome(token, 2);
      const third = members.use(await ComingMember.start(etcd, "m3", token));
      await Promise.all([first, second, third].map(({ client }) => untilServing(client)));
      for (const member of [first, second, third])
        assert.deepEqual(await namesOf(member), ["m1", "m2", "m3"]);
    });

    test("a wrong token makes no cluster", async () => {
      await using service = await DiscoveryProcess.start();
      await using member = await ComingMember.start(etcd, "m1", `${service.url}/${"0".repeat(32)}`);
      assert.notEqual(await member.ended, 0);
      assert.match(member.log, /discovery/);
    });

    test("a token that is forgotten makes no cluster", async () => {
      await using service = await DiscoveryProcess.start("--token-seconds", "1");
      const token = await service.mint(3);
      // Expiry wakes who waits for it.
      const event = (await (await fetch(`${token}?wait=true`)).json()) as { readonly action: string };
      assert.equal(event.action, "expire");
      await using member = await ComingMember.start(etcd, "m1", token);
      assert.notEqual(await member.ended, 0);
    });
  });
}

describe("keel discovery serve", () => {
  test("ends cleanly, and still knows its tokens", async () => {
    await using service = await DiscoveryProcess.start();
    const token = await service.mint(5);
    assert.equal(await service.end("SIGTERM"), 0);
    await service.restart();
    const size = await fetch(`${token}/_config/size`);
    assert.equal(((await size.json()) as { readonly node: { readonly value: string } }).node.value, "5");
  });

  test("lets many clusters find their members at once, and forgets nobody", async (t) => {
    // All come from one address here.
    const limits = { newPerMinute: 10_000, maxWaits: 10_000, maxWaitsPerAddress: 10_000 };
    await using store = await embeddedStore();
    const listen = [{ host: "127.0.0.1", port: 0 }];
    const around = { clock: systemClock, log: silentLog };
    await using service = await DiscoveryService.start({ keys: store.keys, listen, limits, ...around });
    const began = performance.now();
    const clusters = await Promise.all(
      Array.from({ length: CLUSTERS }, async () => simulatedCluster((await service.mint(5)).url, 5)),
    );
    t.diagnostic(`${CLUSTERS} clusters of five in ${Math.round(performance.now() - began)} ms`);
    for (const seen of clusters) assert.deepEqual(seen, [5, 5, 5, 5, 5]);
  });
});

async function embeddedStore(): Promise<AsyncDisposable & Pick<EtcdServer, "keys">> {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-discovery-"));
  const server = await EtcdServer.start({ dataDir, listen: [] });
  return {
    keys: server.keys,
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Members that do what etcd does, each for itself. Resolves with what each of them saw in the end. */
async function simulatedCluster(token: string, size: number): Promise<readonly number[]> {
  const members = Array.from({ length: size }, (_all, place) => simulatedMember(token, `${place}f`, size));
  return Promise.all(members);
}

interface Answer {
  readonly node: { readonly createdIndex: number; readonly nodes?: readonly { readonly key: string }[] };
}

async function simulatedMember(token: string, id: string, size: number): Promise<number> {
  const body = new URLSearchParams({ value: `${id}=http://127.0.0.1:1` });
  const made = await fetch(`${token}/${id}?prevExist=false`, { method: "PUT", body });
  assert.equal(made.status, 201);
  const { node } = (await made.json()) as Answer;
  const self = await fetch(`${token}/${id}?wait=true&waitIndex=${node.createdIndex}`);
  assert.equal(((await self.json()) as Answer).node.createdIndex, node.createdIndex);
  const list = await fetch(token);
  let come = ((await list.json()) as Answer).node.nodes?.length ?? 0;
  let index = Number(list.headers.get("x-etcd-index")) + 1;
  while (come < size) {
    const next = await fetch(`${token}?recursive=true&wait=true&waitIndex=${index}`);
    index = ((await next.json()) as { node: { modifiedIndex: number } }).node.modifiedIndex + 1;
    come++;
  }
  return come;
}

/** Waits until so many members have come to a token. */
async function untilCome(token: string, count: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = (await (await fetch(token)).json()) as Answer;
    if ((answer.node.nodes?.length ?? 0) >= count) return;
    if (performance.now() > deadline) throw new Error(`only ${answer.node.nodes?.length ?? 0} members came`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
