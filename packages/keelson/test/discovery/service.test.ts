import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdClient } from "@keelson/etcd/client";
import { EtcdServer } from "@keelson/etcd/server";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { Places, RateLimit } from "../../src/discovery/quotas.ts";
import { DiscoveryService } from "../../src/discovery/service.ts";
import type { DiscoveryLimits } from "../../src/discovery/service.ts";
import { readMember } from "../../src/discovery/tokens.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";

interface Running extends AsyncDisposable {
  readonly service: DiscoveryService;
  readonly server: EtcdServer;
  readonly url: string;
  compact(): Promise<void>;
}

async function running(limits: DiscoveryLimits = {}, publicUrl?: string): Promise<Running> {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-discovery-"));
  const server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }] });
  const client = new EtcdClient({ endpoints: [`127.0.0.1:${server.addresses[0]?.port}`] });
  const service = await DiscoveryService.start({
    keys: server.keys,
    listen: [{ host: "127.0.0.1", port: 0 }],
    publicUrl,
    limits: { newPerMinute: 1000, ...limits },
    clock: systemClock,
    log: silentLog,
  });
  return {
    service,
    server,
    url: service.url,
    compact: async () => client.compact((await client.range({ key: "x" })).revision, { physical: true }),
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
      await server.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

interface Answered {
  readonly status: number;
  readonly body: string;
}

async function ask(url: string, method = "GET", form?: Readonly<Record<string, string>>): Promise<Answered> {
  const body = form === undefined ? {} : { body: new URLSearchParams(form) };
  const response = await fetch(url, { method, ...body });
  return { status: response.status, body: await response.text() };
}

const join2 = (url: string, id: string): Promise<Answered> =>
  ask(`${url}/${id}?prevExist=false`, "PUT", { value: `${id}=http://10.0.0.1:2380` });

describe("the discovery service", () => {
  test("makes tokens, and shows who has come in order", async () => {
    await using it = await running();
    const made = await ask(`${it.url}/new?size=2`);
    assert.equal(made.status, 200);
    assert.match(made.body, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
    const size = JSON.parse((await ask(`${made.body}/_config/size`)).body) as { node: { value: string } };
    assert.equal(size.node.value, "2");
    assert.equal((await join2(made.body, "b0")).status, 201);
    assert.equal((await join2(made.body, "a1")).status, 201);
    assert.equal((await join2(made.body, "a1")).status, 412);
    const state = await it.service.show(made.body.slice(-32));
    assert.deepEqual(
      state?.members.map(({ id }) => id),
      ["b0", "a1"],
    );
    assert.ok((state?.secondsLeft ?? 0) > 86_000);
    assert.equal((await ask(`${made.body}/a1`, "DELETE")).status, 200);
    assert.equal((await it.service.show(made.body.slice(-32)))?.members.length, 1);
  });

  test("refuses everything else", async () => {
    await using it = await running({ maxTokens: 1 });
    const { url } = await it.service.mint(3);
    const cases: readonly (readonly [number, string, string, Record<string, string>?])[] = [
      [404, `${it.url}/0123456789abcdef0123456789abcdef`, "GET"],
      [404, `${it.url}/nothing`, "GET"],
      [404, `${it.url}/v2/keys`, "GET"],
      [405, `${it.url}/new`, "DELETE"],
      [400, `${it.url}/new?size=0`, "GET"],
      [400, `${it.url}/new?size=100`, "GET"],
      [400, `${it.url}/new?size=x`, "GET"],
      [507, `${it.url}/new`, "GET"],
      [400, url, "POST", { value: "x" }],
      [400, url, "DELETE"],
      [400, `${url}/_config/size`, "PUT", { value: "9" }],
      [400, `${url}/_config`, "PUT", { prevExist: "false" }],
      [400, `${url}/member`, "PUT", { value: "x" }],
      [400, `${url}/member`, "PUT", { dir: "true", prevExist: "false" }],
      [404, `${it.url}/0123456789abcdef0123456789abcdef/a`, "PUT", { prevExist: "false" }],
      [400, `${url}/a`, "PUT", { prevExist: "false", value: "x".repeat(20_000) }],
    ];
    for (const [status, target, method, form] of cases) {
      const answer = await ask(target, method, form).catch((error: unknown) => ({
        status: 0,
        body: String(error),
      }));
      // A form that is too large may be refused before it was sent.
      const isAsExpected = answer.status === status || (answer.status === 0 && form?.["value"] !== undefined);
      assert.ok(isAsExpected, `${method} ${target}: ${answer.status} ${answer.body}`);
    }
    assert.match((await ask(it.url)).body, /discovery service for etcd/);
    assert.deepEqual((await it.service.show(url.slice(-32)))?.members, []);
  });

  test("bounds members, tokens of one address, and who waits", async () => {
    await using it = await running({ newPerMinute: 2, maxWaitsPerAddress: 1 });
    const { url } = await it.service.mint(1);
    const statuses = [];
    for (let turn = 0; turn < 14; turn++) statuses.push((await join2(url, `m${turn}`)).status);
    assert.deepEqual(
      statuses.slice(0, 12),
      Array.from({ length: 12 }, () => 201),
    );
    assert.deepEqual(statuses.slice(12), [400, 400]);
    assert.equal((await ask(`${it.url}/new?size=1`)).status, 200);
    assert.equal((await ask(`${it.url}/new?size=1`)).status, 200);
    assert.equal((await ask(`${it.url}/new?size=1`)).status, 429);
    const stop = new AbortController();
    const waiting = await fetch(`${url}?wait=true&recursive=true`, { signal: stop.signal });
    assert.equal(waiting.status, 200);
    assert.equal((await ask(`${url}?wait=true&recursive=true`)).status, 500);
    stop.abort();
  });

  test("lets a token go with all that is in it", async () => {
    await using it = await running({ tokenSeconds: 1 });
    const { token, url } = await it.service.mint(3);
    await join2(url, "a");
    const gone = await ask(`${url}/a?wait=true`);
    assert.equal((JSON.parse(gone.body) as { readonly action: string }).action, "expire");
    assert.equal((await ask(`${url}/_config/size`)).status, 404);
    assert.equal(await it.service.show(token), undefined);
    assert.equal(it.server.status.leases, 0);
    // What is left is the record of the last write.
    assert.equal(it.server.status.keys, 1);
  });

  test("tells who came, also when the history of it is gone", async () => {
    await using it = await running();
    const { url } = await it.service.mint(3);
    const before = Number((await fetch(url)).headers.get("x-etcd-index"));
    await join2(url, "a");
    await join2(url, "b");
    await it.compact();
    const next = JSON.parse((await ask(`${url}?recursive=true&wait=true&waitIndex=${before + 1}`)).body) as {
      readonly action: string;
      readonly node: { readonly key: string; readonly modifiedIndex: number };
    };
    assert.deepEqual([next.action, next.node.key.slice(-2)], ["create", "/a"]);
    const waiting = await fetch(`${url}?recursive=true&wait=true&waitIndex=${next.node.modifiedIndex + 2}`);
    await join2(url, "c");
    assert.match(await waiting.text(), /"value":"c=http/);
  });

  test("works over a store elsewhere, and says when that is away", async () => {
    await using it = await running();
    const address = it.server.addresses[0];
    const around = { clock: systemClock, random: systemRandom, log: silentLog };
    await using store = new EtcdStore({ endpoints: [`http://127.0.0.1:${address?.port}`], ...around });
    const listen = [{ host: "127.0.0.1", port: 0 }];
    await using other = await DiscoveryService.start({ keys: store.keys, listen, ...around });
    const { token, url } = await other.mint(2);
    const waiting = await fetch(`${url}?recursive=true&wait=true`);
    // The same token, through the other service.
    assert.equal((await join2(`${it.url}/${token}`, "a")).status, 201);
    const event = JSON.parse(await waiting.text()) as { readonly action: string; readonly node: object };
    assert.equal(event.action, "create");
    assert.equal((await join2(url, "a")).status, 412);
    assert.deepEqual(
      (await other.show(token))?.members.map(({ id }) => id),
      ["a"],
    );
    await it.server.close();
    assert.equal((await ask(`${other.url}/new?size=3`)).status, 503);
    assert.equal((await ask(other.url)).status, 200);
  });

  test("names the URL that it is told, or that was called", async () => {
    await using it = await running({}, "http://discovery.example:8087/");
    assert.match(
      (await ask(`${it.url.replace(/.*/, `http://127.0.0.1:${it.service.listening[0]?.port}`)}/new`)).body,
      /^http:\/\/discovery\.example:8087\/[0-9a-f]{32}$/,
    );
  });

  test("answers garbage and lives on", async () => {
    await using it = await running({ tokenSeconds: 100 });
    const { url } = await it.service.mint(3);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"),
        fc.webPath(),
        fc.webQueryParameters(),
        async (method, path, query) => {
          const { status } = await ask(`${url}${path}?${query}`.replace(/wait/g, "w"), method);
          assert.ok(status >= 200 && status < 500, `${method} ${path}?${query}: ${status}`);
        },
      ),
      { numRuns: 30 },
    );
    assert.equal((await ask(`${url}/_config/size`)).status, 200);
  });
});

describe("quotas", () => {
  test("a rate is a burst, and then so many a minute", async () => {
    const clock = new SimulatedClock();
    const rate = new RateLimit(3, clock);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => rate.take("a")),
      [true, true, true, false],
    );
    assert.equal(rate.take("b"), true);
    await clock.advance(20_000);
    assert.deepEqual(
      [1, 2].map(() => rate.take("a")),
      [true, false],
    );
  });

  test("places are given back", () => {
    const places = new Places(1);
    const leave = places.take("a");
    assert.equal(places.take("a"), undefined);
    leave?.();
    assert.notEqual(places.take("a"), undefined);
  });
});

test("a member may have several URLs", () => {
  assert.deepEqual(readMember("1f", "m1=http://a:2380,m1=http://b:2380"), {
    id: "1f",
    name: "m1",
    peerUrls: ["http://a:2380", "http://b:2380"],
  });
  assert.deepEqual(readMember("x", "?"), { id: "x", name: "", peerUrls: ["?"] });
});
