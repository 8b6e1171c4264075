import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { execArgv, probeExec } from "../../../src/host/probes/exec-probe.ts";
import { readTarget } from "../../../src/host/probes/address.ts";
import { probeHttp } from "../../../src/host/probes/http-probe.ts";
import { probeTcp } from "../../../src/host/probes/tcp-probe.ts";

const never = new AbortController().signal;
const limits = { timeoutMs: 5000, machine: "127.0.0.1", signal: never };
const portOf = (server: Server | TcpServer): number => (server.address() as AddressInfo).port;

async function listening<T extends Server | TcpServer>(server: T, host = "127.0.0.1"): Promise<T> {
  server.listen(0, host);
  await once(server, "listening");
  return server;
}

const reasonOf = (answer: { ok: true } | { ok: false; reason: string }): string =>
  answer.ok ? "" : answer.reason;

describe("targets", () => {
  test("without a host it is the machine: its loopback, then its address", () => {
    assert.deepEqual(readTarget(":80", "10.0.0.1"), { hosts: ["127.0.0.1", "10.0.0.1"], port: 80 });
    assert.deepEqual(readTarget("[::1]:80", "10.0.0.1"), { hosts: ["::1"], port: 80 });
    assert.deepEqual(readTarget("db.test:5432", "10.0.0.1"), { hosts: ["db.test"], port: 5432 });
  });

  test("garbage is no target", () => {
    for (const text of ["", ":", ":0", ":65536", "host", ":1e3", "a:b"])
      assert.equal(readTarget(text, "x"), undefined);
  });
});

describe("HTTP", () => {
  let server: Server;
  let port = 0;
  before(async () => {
    server = await listening(
      createServer((request, answer) => {
        const status = Number(/\d+/.exec(request.url ?? "")?.[0] ?? 200);
        if (request.url === "/silence") return;
        if (request.url === "/flood") {
          answer.writeHead(200);
          return void answer.write(Buffer.alloc(1 << 20));
        }
        answer.writeHead(status, status === 302 ? { location: "http://192.0.2.1/" } : {});
        answer.end("text");
      }),
    );
    port = portOf(server);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  test("2xx and 3xx are well, and a redirect is not followed", async () => {
    for (const path of ["", "/204", "/302"]) {
      assert.deepEqual(await probeHttp(`:${port}${path}`, limits), { ok: true }, path);
    }
    assert.deepEqual(await probeHttp(`http://127.0.0.1:${port}/`, limits), { ok: true });
  });

  test("other statuses are not, and the reason names them", async () => {
    assert.equal(reasonOf(await probeHttp(`:${port}/503`, limits)), `GET :${port}/503: 503`);
    assert.equal(reasonOf(await probeHttp(`:${port}/404`, limits)), `GET :${port}/404: 404`);
  });

  test("an endless body is cut off, and does not count against it", async () => {
    assert.deepEqual(await probeHttp(`:${port}/flood`, limits), { ok: true });
  });

  test("silence is no answer", async () => {
    const answer = await probeHttp(`:${port}/silence`, { ...limits, timeoutMs: 100 });
    assert.equal(reasonOf(answer), `GET :${port}/silence: no answer within 100 ms`);
  });

  test("nobody there", async () => {
    const gone = await listening(createServer());
    const free = portOf(gone);
    gone.close();
    assert.equal(reasonOf(await probeHttp(`:${free}/x`, limits)), `GET :${free}/x: connection refused`);
  });

  test("what listens on the machine’s address alone is found there", async () => {
    const elsewhere = await listening(
      createServer((_, answer) => answer.end()),
      "127.0.0.2",
    );
    const here = { ...limits, machine: "127.0.0.2" };
    assert.deepEqual(await probeHttp(`:${portOf(elsewhere)}/`, here), { ok: true });
    assert.deepEqual(await probeTcp(`:${portOf(elsewhere)}`, here), { ok: true });
    elsewhere.close();
  });

  test("who does not speak HTTP is told from who does not answer", async () => {
    const other = await listening(
      createTcpServer((socket) => socket.on("error", () => {}).end("SSH-2.0\r\n\r\n")),
    );
    assert.match(reasonOf(await probeHttp(`:${portOf(other)}`, limits)), /: the answer is not HTTP$/);
    other.close();
  });

  const hostile: Readonly<Record<string, readonly [answer: string, reason: RegExp]>> = {
    "another protocol": [
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
      /: 101$/,
    ],
    "half a body": ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", /(?:reset|closed)$/],
    "no byte": ["", /(?:reset|closed)$/],
    "go on, and on": ["HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), /(?:reset|closed)$/],
    "endless headers": [`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}`, /headers are too large$/],
    "two lengths": [
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
      /not HTTP$/,
    ],
    "a status that is none": ["HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", /: 999$/],
    "a way to a file": [
      "HTTP/1.1 404 x\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
      /: 404$/,
    ],
  };
  for (const [what, [answer, reason]] of Object.entries(hostile)) {
    test(`${what} is an answer in words, in time`, async () => {
      const other = await listening(createTcpServer((socket) => socket.on("error", () => {}).end(answer)));
      assert.match(reasonOf(await probeHttp(`:${portOf(other)}/`, limits)), reason);
      other.close();
    });
  }

  test("headers that drip are no answer, nor is TLS to who does not speak it", async () => {
    const drips = new Set<NodeJS.Timeout>();
    const other = await listening(
      createTcpServer((socket) => {
        const drip = setInterval(() => socket.write("x"), 20);
        drips.add(drip);
        socket.on("error", () => {}).on("close", () => clearInterval(drip));
        socket.write("HTTP/1.1 200 OK\r\nx-y: ");
      }),
    );
    const short = { ...limits, timeoutMs: 200 };
    assert.match(reasonOf(await probeHttp(`:${portOf(other)}/`, short)), /no answer within 200 ms$/);
    assert.notEqual(reasonOf(await probeHttp(`https://127.0.0.1:${portOf(other)}/`, short)), "");
    for (const drip of drips) clearInterval(drip);
    other.close();
  });

  test("an abort is no answer", async () => {
    const controller = new AbortController();
    const asked = probeHttp(`:${port}/silence`, { ...limits, signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(asked, /enough/);
  });
});

describe("TCP", () => {
  test("a connection is enough", async () => {
    const server = await listening(createTcpServer((socket) => socket.on("error", () => {}).resume()));
    const port = portOf(server);
    assert.deepEqual(await probeTcp(`:${port}`, limits), { ok: true });
    assert.deepEqual(await probeTcp(`127.0.0.1:${port}`, limits), { ok: true });
    server.close();
    await once(server, "close");
    assert.equal(reasonOf(await probeTcp(`:${port}`, limits)), `TCP :${port}: connection refused`);
  });
});

describe("exec", () => {
  test("the exit status decides", async () => {
    assert.deepEqual(await probeExec("true", undefined, limits), { ok: true });
    assert.equal(
      reasonOf(await probeExec("echo one; echo two >&2; exit 3", undefined, limits)),
      "echo one; echo two >&2; exit 3: exit status 3: two",
    );
    assert.equal(reasonOf(await probeExec("kill -9 $$", undefined, limits)), "kill -9 $$: ended by SIGKILL");
  });

  test("nothing of it is left when its time is over", async () => {
    const began = Date.now();
    const answer = await probeExec("echo $$; (setsid sleep 987.25 &) ; sleep 987.25", undefined, {
      ...limits,
      timeoutMs: 300,
    });
    assert.match(reasonOf(answer), /: not done within 300 ms$/);
    const left = await probeExec("! grep -qs 987.2[5] /proc/[0-9]*/cmdline", undefined, limits);
    assert.deepEqual(left, { ok: true });
    assert.ok(Date.now() - began < 60_000);
  });

  test("what it leaves in the background does not hold the check up, and does not stay", async () => {
    assert.deepEqual(await probeExec("sleep 986.25 & true", undefined, limits), { ok: true });
    const left =
      "for i in 1 2 3 4 5 6 7 8 9; do grep -qs 986.2[5] /proc/[0-9]*/cmdline || exit 0; sleep .1; done; exit 1";
    assert.deepEqual(await probeExec(left, undefined, limits), { ok: true });
  });

  test("endless output is kept to its end", async () => {
    const answer = await probeExec(
      "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1",
      undefined,
      limits,
    );
    assert.match(reasonOf(answer), /exit status 1: last$/);
  });

  test("in a container it is podman’s exec, with the mark by which it is ended", () => {
    assert.deepEqual(execArgv("true", "abc", "m1"), [
      "podman",
      "exec",
      "--env",
      "KEELSON_CHECK=m1",
      "abc",
      "/bin/sh",
      "-c",
      "true",
    ]);
  });
});
