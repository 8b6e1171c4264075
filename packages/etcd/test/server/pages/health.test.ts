import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { EtcdClient } from "../../../src/client/index.ts";
import { EtcdError } from "../../../src/errors.ts";
import { healthPages, type Patient } from "../../../src/server/pages/health.ts";
import { httpListener } from "../../../src/server/transport/http.ts";
import { ask, post, testServer, type Answer } from "../support.ts";

const unrecorded = { judged: () => undefined, checked: () => undefined };

/** The pages of a store in some state. */
async function pagesOf(patient: Patient, paths: readonly string[]): Promise<readonly Answer[]> {
  const server = createServer(httpListener(healthPages(patient, unrecorded)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await Promise.all(paths.map((path) => ask({ port, path })));
  } finally {
    server.close();
  }
}

const texts = (answers: readonly Answer[]): readonly string[] =>
  answers.map(({ status, text }) => `${status} ${text}`);

describe("health pages", () => {
  test("of a store that is well", async () => {
    const patient = { alarms: new Set<number>(), failure: undefined };
    const paths = [
      "/health",
      "/health?serializable=true",
      "/livez",
      "/readyz",
      "/readyz?verbose",
      "/livez/serializable_read",
    ];
    assert.deepEqual(texts(await pagesOf(patient, paths)), [
      '200 {"health":"true","reason":""}',
      '200 {"health":"true","reason":""}',
      "200 ok\n",
      "200 ok\n",
      "200 [+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\nok\n",
      "200 ok\n",
    ]);
  });

  test("of a store with alarms; one that is excluded does not count", async () => {
    const patient = { alarms: new Set([1, 2]), failure: undefined };
    const paths = [
      "/health",
      "/health?exclude=NOSPACE",
      "/health?exclude=NOSPACE&exclude=CORRUPT",
      "/readyz",
      "/readyz?exclude=data_corruption&exclude=nothing",
      "/readyz/data_corruption",
      "/livez",
    ];
    const corrupt = "[-]data_corruption failed: alarm activated: CORRUPT\n";
    assert.deepEqual(texts(await pagesOf(patient, paths)), [
      '503 {"health":"false","reason":"ALARM NOSPACE"}\n',
      '503 {"health":"false","reason":"ALARM CORRUPT"}\n',
      '200 {"health":"true","reason":""}',
      `503 ${corrupt}[+]serializable_read ok\n[+]linearizable_read ok\n\n`,
      "200 ok\n",
      `503 ${corrupt}\n`,
      "200 ok\n",
    ]);
  });

  test("of a store that cannot write: it lives and can be read, and is not ready", async () => {
    const patient = { alarms: new Set<number>(), failure: new EtcdError("STORE_IO", "the disk is full") };
    const paths = ["/health", "/health?serializable=true", "/livez", "/readyz", "/readyz/linearizable_read"];
    assert.deepEqual(
      (await pagesOf(patient, paths)).map(({ status }) => status),
      [503, 200, 200, 503, 503],
    );
    const [health] = await pagesOf(patient, ["/health"]);
    assert.match(health?.text ?? "", /the disk is full/);
  });

  test("are only for reading", async () => {
    await using server = await testServer();
    for (const path of ["/health", "/livez", "/readyz", "/version", "/metrics", "/debug/vars"]) {
      const answer = await post(server.port, path, {});
      assert.deepEqual(
        [answer.status, answer.headers.allow, answer.text],
        [405, "GET", "Method Not Allowed\n"],
        path,
      );
      assert.equal((await ask({ port: server.port, path, method: "HEAD" })).status, 405, path);
    }
    assert.equal((await ask({ port: server.port, path: "/readyz/nothing" })).status, 404);
  });
});

describe("access over HTTP", () => {
  test("is for all origins, or for those that are named", async () => {
    await using open = await testServer();
    const asked = await ask({ port: open.port, path: "/v3/kv/put", method: "OPTIONS" });
    assert.deepEqual([asked.status, asked.headers["access-control-allow-origin"]], [200, "*"]);
    assert.equal(asked.headers["access-control-allow-methods"], "POST, GET, OPTIONS, PUT, DELETE");
    await using strict = await testServer({ cors: ["https://a.example"] });
    const from = (origin: string) => ask({ port: strict.port, path: "/health", headers: { origin } });
    assert.equal(
      (await from("https://a.example")).headers["access-control-allow-origin"],
      "https://a.example",
    );
    assert.equal((await from("https://b.example")).headers["access-control-allow-origin"], undefined);
  });

  test("is under all host names, or under those that are named", async () => {
    await using server = await testServer({ hosts: ["store.example", "::1"] });
    const under = async (host: string) =>
      (await ask({ port: server.port, path: "/health", headers: { host } })).status;
    assert.deepEqual(
      [
        await under("store.example:2379"),
        await under("store.example"),
        await under("[::1]:5"),
        await under("evil.example"),
      ],
      [200, 200, 200, 421],
    );
  });

  test("has ports of its own where they are asked for; the others then serve gRPC alone", async () => {
    await using server = await testServer({ httpListen: [{ host: "127.0.0.1", port: 0 }] });
    const port = server.server.httpAddresses[0]?.port ?? 0;
    assert.equal((await ask({ port, path: "/health" })).status, 200);
    assert.equal((await post(port, "/v3/kv/range", { key: "YQ==" })).status, 200);
    await assert.rejects(ask({ port: server.port, path: "/health" }));
    const calls = async (at: number): Promise<string> => {
      await using client = new EtcdClient({ endpoints: [`http://127.0.0.1:${at}`], deadlineMs: 30_000 });
      return await client.get("a").then(
        () => "answered",
        (error: EtcdError) => error.code,
      );
    };
    assert.equal(await calls(server.port), "answered");
    assert.equal(await calls(port), "UNIMPLEMENTED");
  });

  test("is for monitoring alone where only that is served", async () => {
    await using server = await testServer({ metricsListen: [{ host: "127.0.0.1", port: 0 }] });
    const port = server.server.metricsAddresses[0]?.port ?? 0;
    const status = async (path: string) => (await ask({ port, path })).status;
    const paths = ["/metrics", "/health", "/livez", "/readyz", "/version", "/v3/kv/range", "/v2/keys/a"];
    assert.deepEqual(await Promise.all(paths.map(status)), [200, 200, 200, 200, 404, 404, 404]);
  });
});
