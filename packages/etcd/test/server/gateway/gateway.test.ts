import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ROUTES } from "../../../src/server/gateway/routes.ts";
import { base64, post, ask, testServer } from "../support.ts";

/** Reads from a connection until what came fits. */
async function until(socket: Socket, pattern: RegExp): Promise<string> {
  let text = "";
  while (!pattern.test(text)) {
    const [chunk] = (await once(socket, "data", { signal: AbortSignal.timeout(30_000) })) as [Buffer];
    text += chunk.toString("latin1");
  }
  return text;
}

/** Sends a request with a chunked body that stays open. */
function openStream(
  port: number,
  path: string,
): { readonly socket: Socket; readonly say: (text: string) => void } {
  const socket = connect(port, "127.0.0.1");
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
  return { socket, say: (text) => void socket.write(`${text.length.toString(16)}\r\n${text}\r\n`) };
}

describe("the gateway", () => {
  test("carries requests to the services, under both prefixes", async () => {
    await using server = await testServer();
    const put = await post(server.port, "/v3/kv/put", { key: base64("a"), value: base64("1") });
    assert.equal(put.status, 200);
    assert.equal(put.headers["content-type"], "application/json");
    assert.match(
      put.text,
      /^\{"header":\{"cluster_id":"\d+","member_id":"\d+","revision":"2","raft_term":"2"\}\}$/,
    );
    const range = await post(server.port, "/v3beta/kv/range", { key: base64("a") });
    assert.match(
      range.text,
      /"kvs":\[\{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1","value":"MQ=="\}\],"count":"1"\}$/,
    );
  });

  test("refuses in the form of grpc-gateway", async () => {
    await using server = await testServer();
    const message = "etcdserver: key is not provided";
    const refused = await post(server.port, "/v3/kv/range", "");
    assert.deepEqual(
      [refused.status, refused.text],
      [400, `{"error":"${message}","code":3,"message":"${message}"}`],
    );
    assert.equal((await post(server.port, "/v3/lease/revoke", { ID: 5 })).status, 404);
    assert.equal((await post(server.port, "/v3/kv/compaction", { revision: 99 })).status, 400);
    assert.equal((await post(server.port, "/v3/kv/range", "{")).text.includes('"unexpected EOF"'), true);
    assert.equal((await ask({ port: server.port, path: "/v3/kv/range" })).status, 405);
    assert.equal((await post(server.port, "/v3/kv/nothing", {})).status, 404);
  });

  test("bounds what it reads", async () => {
    await using server = await testServer({ limits: { maxRequestBytes: 1000 } });
    const large = await post(server.port, "/v3/kv/put", {
      key: base64("a"),
      value: base64("x".repeat(1100)),
    });
    assert.equal(large.status, 400);
    assert.match(large.text, /request is too large/);
    const huge = await post(server.port, "/v3/kv/put", { key: base64("a".repeat(600_000)) });
    assert.equal(huge.status, 429);
    assert.match(huge.text, /"grpc: received message larger than max \(\d+ vs\. 525288\)","code":8/);
    const endless = await post(server.port, "/v3/kv/put", `{"key":"${"A".repeat(1_200_000)}"}`);
    assert.equal(endless.status, 429);
  });

  test("a watch is a conversation, and goes on when the client has said everything", async () => {
    await using server = await testServer();
    const { socket, say } = openStream(server.port, "/v3/watch");
    using _end = { [Symbol.dispose]: () => socket.destroy() };
    say(JSON.stringify({ create_request: { key: base64("a"), watch_id: "7" } }));
    assert.match(
      await until(socket, /"created":true/),
      /\{"result":\{"header":\{.*\},"watch_id":"7","created":true\}\}\n/,
    );
    say(
      `${JSON.stringify({ createRequest: { key: base64("b"), startRevision: 1 } })}\n{"progress_request":{}}`,
    );
    await until(socket, /"created":true/);
    say(JSON.stringify({ cancel_request: { watch_id: 7 } }));
    await until(socket, /"canceled":true/);
    socket.write("0\r\n\r\n");
    await post(server.port, "/v3/kv/put", { key: base64("b"), value: base64("1") });
    assert.match(await until(socket, /"events":/), /"events":\[\{"kv":\{"key":"Yg==",.*"value":"MQ=="\}\}\]/);
  });

  test("a stream that cannot be understood is told so, before its first answer and after it", async () => {
    await using server = await testServer();
    const first = await post(server.port, "/v3/watch", "garbage");
    const message = "invalid character 'g' looking for beginning of value";
    assert.deepEqual(
      [first.status, first.text],
      [400, `{"error":"${message}","code":3,"message":"${message}"}`],
    );
    const later = await post(server.port, "/v3/lease/keepalive", '{"ID":1} garbage');
    const lines = later.text.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^\{"result":\{"header":\{.*\},"ID":"1"\}\}$/);
    assert.equal(
      lines[1],
      `{"error":{"grpc_code":3,"http_code":400,"message":"${message}","http_status":"Bad Request"}}`,
    );
    const cut = await post(server.port, "/v3/watch", '{"create_request":');
    assert.match(cut.text, /unexpected EOF/);
  });

  test("a call ends when its time is over", async () => {
    await using server = await testServer();
    const headers = { "grpc-timeout": "30m" };
    await post(server.port, "/v3/lock/lock", { name: base64("l") });
    const late = await ask({
      port: server.port,
      path: "/v3/lock/lock",
      method: "POST",
      headers,
      body: JSON.stringify({ name: base64("l") }),
    });
    assert.deepEqual([late.status, /"code":4/.test(late.text)], [504, true]);
    const wrong = await ask({
      port: server.port,
      path: "/v3/kv/range",
      method: "POST",
      headers: { "grpc-timeout": "soon" },
    });
    assert.deepEqual([wrong.status, /invalid grpc-timeout: soon/.test(wrong.text)], [400, true]);
  });

  test("calls above the number that a client may have wait for their turn", async () => {
    await using server = await testServer({ transport: { streams: 1 } });
    const { socket, say } = openStream(server.port, "/v3/watch");
    say(JSON.stringify({ create_request: { key: base64("a") } }));
    await until(socket, /"created":true/);
    const waiting = post(server.port, "/v3/kv/range", { key: base64("a") });
    assert.equal((await ask({ port: server.port, path: "/health" })).status, 200);
    assert.equal(await Promise.race([waiting, Promise.resolve("it waits")]), "it waits");
    socket.destroy();
    assert.equal((await waiting).status, 200);
  });

  test("streams are ended with their reason when the server closes", async () => {
    await using server = await testServer();
    const { socket, say } = openStream(server.port, "/v3/watch");
    using _end = { [Symbol.dispose]: () => socket.destroy() };
    say(JSON.stringify({ create_request: { key: base64("a") } }));
    await until(socket, /"created":true/);
    const ended = until(socket, /"error"/);
    const closed = server.server.close();
    assert.match(await ended, /"grpc_code":14,"http_code":503,"message":"etcdserver: server stopped"/);
    await closed;
  });

  test("is not there when it is turned off", async () => {
    await using server = await testServer({ gateway: false });
    assert.equal((await post(server.port, "/v3/kv/range", {})).status, 404);
    assert.equal((await ask({ port: server.port, path: "/health" })).status, 200);
  });

  test("garbage on any path is answered, and the server lives on", async () => {
    await using server = await testServer();
    const bodies = fc.oneof(fc.json(), fc.string(), fc.string({ unit: "binary" }));
    const isUnary = ({ method }: (typeof ROUTES)[number]): boolean => method.methodKind === "unary";
    const quick = ROUTES.filter(
      (route) => isUnary(route) && !/lock|election|enable|defragment/.test(route.path),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...quick), bodies, async ({ path }, body) => {
        const { status, text } = await post(server.port, `/v3/${path}`, body);
        assert.ok(status >= 200 && status < 600);
        JSON.parse(text);
      }),
      { numRuns: 150 },
    );
    assert.equal((await ask({ port: server.port, path: "/health" })).text, '{"health":"true","reason":""}');
  });
});
