import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { hostOf } from "../../src/api/access.ts";
import { listenOnSocket } from "../../src/api/socket.ts";
import { file, runApi } from "./running-api.ts";
import type { Ask, RunningApi } from "./running-api.ts";

const portOf = ({ api }: RunningApi): number => api.listening[0]?.port ?? 0;
const submit: Ask = {
  method: "POST",
  path: "/v1/operations",
  json: { intent: { kind: "submit", files: [file("a.service")], desired: "inactive" } },
};

describe("access", () => {
  test("TCP only reads", async () => {
    await using running = await runApi();
    const port = portOf(running);
    const before = running.store.revision;
    const asks: Ask[] = [
      submit,
      { method: "POST", path: "/v1/plan", json: {} },
      { method: "POST", path: "/v1/images", body: "x" },
      { method: "DELETE", path: "/v1/images/x" },
      { method: "PUT", path: "/v1/operations", body: "x" },
      { method: "OPTIONS", path: "/v1/operations" },
    ];
    for (const ask of asks) {
      const { status, json } = await running.ask({ ...ask, port });
      assert.equal(status, 403, `${ask.method} ${ask.path}`);
      assert.equal(json.error.code, "KEEL-604");
      assert.match(json.error.hint, /unix-socket/);
    }
    // A method in another header is still what it is.
    const disguised = await running.ask({
      path: submit.path,
      port,
      headers: { "x-http-method-override": "POST" },
    });
    assert.equal(disguised.status, 200);
    assert.equal(running.store.revision, before);
    assert.equal((await running.ask({ path: "/v1/health", port })).json.cluster, "test");
  });

  test("names that point here from elsewhere are not answered", async () => {
    await using running = await runApi();
    const port = portOf(running);
    const statusFor = async (headers: Record<string, string>): Promise<number> =>
      (await running.ask({ path: "/v1/health", port, headers })).status;
    assert.equal(await statusFor({ host: "evil.example" }), 403);
    assert.equal(await statusFor({ host: `evil.example:${port}` }), 403);
    assert.equal(await statusFor({ host: "127.0.0.1.evil.example" }), 403);
    for (const host of [
      "localhost",
      `localhost:${port}`,
      "10.1.2.3:99",
      "[::1]:80",
      "m1",
      "M1:9",
      "m1.test",
    ]) {
      assert.equal(await statusFor({ host }), 200, host);
    }
    assert.equal(await statusFor({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" }), 403);
    assert.equal(await statusFor({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }), 200);
    assert.equal(await statusFor({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }), 200);
    const { headers } = await running.ask({
      path: "/v1/health",
      port,
      headers: { origin: "http://evil.example" },
    });
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.equal(headers["x-content-type-options"], "nosniff");
  });

  test("garbage instead of HTTP ends the connection and nothing else", async () => {
    await using running = await runApi();
    const garbage = [
      "\0\0\0\0",
      "GET / HTTP/9.9\r\n\r\n",
      "GET /v1/health HTTP/1.1\r\n\r\n",
      "GET /v1/health HTTP/1.1\r\nHost: a b\r\n\r\n",
      `GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      "GET http://[/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    for (const text of garbage) {
      assert.match(await exchange(portOf(running), text), /^(HTTP\/1\.1 (4\d\d|200)|$)/);
    }
    assert.equal((await running.ask({ path: "/v1/health" })).status, 200);
  });

  test("the socket belongs to its owner, and a stale one is replaced", async () => {
    await using running = await runApi();
    assert.equal((await stat(running.api.socket)).mode & 0o777, 0o600);
    await assert.rejects(listenOnSocket(createServer(), running.api.socket), {
      code: "KEEL-106",
      message: /another daemon answers/,
    });

    const folder = await mkdtemp(join(tmpdir(), "keelson-socket-"));
    const path = join(folder, "api.sock");
    await writeFile(path, "precious");
    await assert.rejects(listenOnSocket(createServer(), path), { code: "KEEL-106", message: /is no socket/ });
    await rm(path);
    const dead = spawnSyncSocket(path);
    assert.ok((await readdir(folder)).includes("api.sock"), dead);
    const server = createServer();
    await listenOnSocket(server, path);
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  test("after it was closed nothing listens and the socket is gone", async () => {
    const running = await runApi();
    const port = portOf(running);
    await running[Symbol.asyncDispose]();
    await assert.rejects(running.ask({ path: "/v1/health" }), { code: /ENOENT|ECONNREFUSED/ });
    await assert.rejects(running.ask({ path: "/v1/health", port }), { code: "ECONNREFUSED" });
  });

  test("a host is read from any header without failing", () => {
    fc.assert(fc.property(fc.string(), (text) => typeof hostOf(text) === "string"));
    fc.assert(
      fc.property(
        fc.domain(),
        fc.nat(65535),
        (domain, port) => hostOf(`${domain}:${port}`) === domain.toLowerCase(),
      ),
    );
    assert.equal(hostOf("[fe80::1]:80"), "fe80::1");
  });
});

/** Leaves a socket file behind as a process does that was killed. */
function spawnSyncSocket(path: string): string {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  return String(spawnSync(process.execPath, ["-e", script]).signal);
}

function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      socket.end();
    });
    socket.on("error", () => resolve(answer));
    socket.on("close", () => resolve(answer));
    socket.setTimeout(1000, () => socket.destroy());
    socket.write(text);
  });
}
