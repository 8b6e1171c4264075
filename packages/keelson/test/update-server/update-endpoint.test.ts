import { readAsUpdateEngine, readResponse } from "@keelson/omaha";
import type { OmahaResponse } from "@keelson/omaha";
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { recordings } from "../../../omaha/test/recordings.ts";
import { eventually } from "../eventually.ts";
import { checkOf, raw, running } from "./endpoint-support.ts";

const read = async (response: Response): Promise<OmahaResponse> => {
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/xml/);
  return readResponse(await response.text());
};

const outcomes = ({ apps }: OmahaResponse): string[] =>
  apps.map(({ id, status, updateCheck }) => `${id} ${status} ${updateCheck?.status}`);

describe("update checks", () => {
  test("every recorded request of the real client gets an answer that it takes", async () => {
    await using it = await running();
    for (const { name, request } of recordings) {
      const answer = await read(await it.post(request));
      assert.equal(answer.protocol, "3.0", name);
      const [app] = answer.apps;
      assert.equal(app?.status, "ok", name);
      const asks = request.includes("<updatecheck");
      assert.equal(app.updateCheck?.status, asks ? "noupdate" : undefined, name);
      assert.equal(app.events.length, request.split("<event ").length - 1, name);
      if (asks) assert.equal(readAsUpdateEngine(answer).outcome, "noupdate");
    }
  });

  test("with and without the slash, with a query, and only so", async () => {
    await using it = await running();
    const status = async (path: string, method = "POST"): Promise<number> =>
      (await fetch(it.url + path, { method, ...(method === "POST" ? { body: checkOf("a") } : {}) })).status;
    assert.equal(await status("/v1/update"), 200);
    assert.equal(await status("/v1/update/?x=1"), 200);
    assert.equal(await status("/v1/update/more"), 404);
    assert.equal(await status("/"), 404);
    assert.equal(await status("/v1/update/", "GET"), 405);
    const options = await fetch(`${it.url}/v1/update/`, { method: "PUT" });
    assert.equal(options.headers.get("allow"), "POST");
  });

  test("applications are answered each on its own, with ok and noupdate only", async () => {
    await using it = await running({ grants: ["b"] });
    const answer = await read(await it.post(checkOf("{unknown}", "b", "broken", "c")));
    assert.deepEqual(outcomes(answer), [
      "{unknown} ok noupdate",
      "b ok ok",
      "broken ok noupdate",
      "c ok noupdate",
    ]);
    assert.deepEqual(it.entries.written, [`{"granted":"b"}`]);
    assert.equal(answer.apps[0]?.updateCheck?.pollInterval, 3600);
  });

  test("an answer that rests on entries waits until they are on the disk; others do not", async () => {
    await using it = await running({ grants: ["b"] });
    const disk = Promise.withResolvers<void>();
    it.entries.sync = () => disk.promise;
    let isAnswered = false;
    const granted = it.post(checkOf("b")).then((response) => {
      isAnswered = true;
      return response;
    });
    await eventually("the grant is decided", () => it.decider.asked.length === 1);
    assert.deepEqual(outcomes(await read(await it.post(checkOf("a")))), ["a ok noupdate"]);
    assert.equal(isAnswered, false);
    disk.resolve();
    assert.deepEqual(outcomes(await read(await granted)), ["b ok ok"]);
  });

  test("what could not be written is not granted, and nothing is decided while that is so", async () => {
    await using it = await running({ grants: ["b"] });
    it.entries.sync = () => Promise.reject(new Error("no space left on device"));
    assert.deepEqual(outcomes(await read(await it.post(checkOf("b")))), ["b ok noupdate"]);
    it.entries.isWritable = false;
    assert.deepEqual(outcomes(await read(await it.post(checkOf("b")))), ["b ok noupdate"]);
    assert.equal(it.decider.asked.length, 1);
    assert.equal(it.endpoint.counts.unrecorded, 2);
  });
});

describe("unreadable clients", () => {
  test("get 400 with the place, are listed with the last error, and no longer once they can be read", async () => {
    await using it = await running();
    for (const [body, error] of [
      ["", /empty|root|line 1/],
      ["<request", /line 1/],
      [`<request protocol="3.0"><app appid="a" oem="x"y""></app></request>`, /line 1, column \d+/],
      ["\u0000\u001b[31m", /line 1/],
    ] as const) {
      const response = await it.post(body);
      assert.equal(response.status, 400, body);
      assert.match(await response.text(), error);
    }
    const [client, ...others] = it.endpoint.unreadable.list();
    assert.equal(others.length, 0);
    assert.equal(client?.address, "127.0.0.1");
    assert.equal(client.count, 4);
    assert.match(client.lastError, /^line 1/);
    assert.doesNotMatch(client.lastError, /\p{Cc}/u);
    await it.post(checkOf("a"));
    assert.deepEqual(it.endpoint.unreadable.list(), []);
    assert.equal(it.decider.asked.length, 1);
  });

  test("too large, announced or not, and encoded ones are refused", async () => {
    await using it = await running();
    assert.equal((await it.post(" ".repeat(65_537))).status, 413);
    const chunked = await raw(
      it.port,
      "POST /v1/update/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
      `18000\r\n${" ".repeat(0x18000)}\r\n`,
    );
    assert.match(chunked, /^HTTP\/1\.1 413 .*65536 bytes/s);
    assert.equal((await it.post(checkOf("a"), { "content-encoding": "gzip" })).status, 415);
    assert.equal(
      (await it.post(`<request protocol="3.0">${"<app appid='a'/>".repeat(70)}</request>`)).status,
      413,
    );
    await eventually("all are over", () => it.endpoint.counts.underWay === 0);
    assert.equal(it.endpoint.counts.unreadable, 4);
  });

  test("what does not arrive in time, or is no HTTP, ends", async () => {
    await using it = await running({ arrivalMs: 100 });
    const head = "POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n";
    assert.match(await raw(it.port, `${head}<request`), /^HTTP\/1\.1 408 .*did not arrive in time/s);
    assert.match(await raw(it.port, "POST /v1/up"), /^HTTP\/1\.1 408 /);
    assert.match(await raw(it.port, "\u0016\u0003\u0001\u0002\r\n\r\n"), /^HTTP\/1\.1 400 .*not HTTP/s);
    await eventually("all are over", () => it.endpoint.counts.underWay === 0);
    assert.match(it.endpoint.unreadable.list()[0]?.lastError ?? "", /not HTTP/);
  });
});

describe("load", () => {
  test("above the capacity 503 with Retry-After comes before anything is read", async () => {
    await using it = await running({ requests: 2, grants: ["b"] });
    const disk = Promise.withResolvers<void>();
    it.entries.sync = () => disk.promise;
    const taken = [it.post(checkOf("b")), it.post(checkOf("b"))];
    await eventually("both are taken", () => it.decider.asked.length === 2);
    // Its body never comes.
    const refused = await raw(
      it.port,
      "POST /v1/update/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    );
    assert.match(refused, /^HTTP\/1\.1 503 /);
    assert.match(refused, /\r\nRetry-After: \d+\r\n/);
    disk.resolve();
    for (const response of await Promise.all(taken)) assert.equal(response.status, 200);
    await eventually("both are over", () => it.endpoint.counts.underWay === 0);
    assert.equal((await it.post(checkOf("a"))).status, 200);
    assert.equal(it.endpoint.counts.refused, 1);
  });

  test("a disk that falls behind turns clients away too", async () => {
    await using it = await running({ waitingBytes: 1000 });
    it.entries.waitingBytes = 1000;
    assert.equal((await it.post(checkOf("a"))).status, 503);
    it.entries.waitingBytes = 0;
    assert.equal((await it.post(checkOf("a"))).status, 200);
  });

  test("from half of the capacity on clients are asked to wait longer", async () => {
    await using it = await running({ requests: 4, grants: ["b"] });
    const disk = Promise.withResolvers<void>();
    it.entries.sync = () => disk.promise;
    const taken = [it.post(checkOf("b")), it.post(checkOf("b"))];
    await eventually("both are taken", () => it.decider.asked.length === 2);
    const answer = await read(await it.post(checkOf("a")));
    assert.equal(answer.apps[0]?.updateCheck?.pollInterval, 45 * 60 + (4 * 60 - 45) * 30);
    disk.resolve();
    await Promise.all(taken);
  });

  test("a client that goes away is forgotten", async () => {
    await using it = await running();
    const head = "POST /v1/update/ HTTP/1.1\r\nHost: x\r\n";
    for (const [round, length] of ["Content-Length: 100", "Transfer-Encoding: chunked"].entries()) {
      const socket = connect(it.port, "127.0.0.1");
      socket.write(`${head}${length}\r\n\r\n9\r\n<request `);
      await eventually("it is under way", () => it.endpoint.counts.underWay === 1);
      if (round === 0) socket.end();
      else socket.destroy();
      await eventually("it is over", () => it.endpoint.counts.underWay === 0);
    }
    assert.equal(it.endpoint.counts.unreadable, 0);
  });

  test("ending answers what was taken, on connections that stay open too", async () => {
    const it = await running({ grants: ["b"] });
    const disk = Promise.withResolvers<void>();
    it.entries.sync = () => disk.promise;
    const taken = it.post(checkOf("b"));
    await eventually("it is taken", () => it.decider.asked.length === 1);
    const ended = it[Symbol.asyncDispose]();
    disk.resolve();
    assert.deepEqual(outcomes(await read(await taken)), ["b ok ok"]);
    await ended;
    await assert.rejects(it.post(checkOf("a")));
  });
});

describe("who a client is", () => {
  const lastAddress = (it: {
    decider: { asked: readonly { client: { address: string } }[] };
  }): string | undefined => it.decider.asked.at(-1)?.client.address;

  test("only trusted proxies are believed", async () => {
    const header = { "x-forwarded-for": "203.0.113.7" };
    {
      await using it = await running();
      await it.post(checkOf("a"), header);
      assert.equal(lastAddress(it), "127.0.0.1");
    }
    await using it = await running({ trustedProxies: ["127.0.0.0/8"] });
    await it.post(checkOf("a"), header);
    assert.equal(lastAddress(it), "203.0.113.7");
  });

  test("what the caller found proven reaches the decision", async () => {
    await using it = await running({
      provenMachine: ({ headers }) => headers["x-test"] as string | undefined,
    });
    await it.post(checkOf("a"), { "x-test": "m1" });
    await it.post(checkOf("a"));
    assert.deepEqual(
      it.decider.asked.map(({ client }) => client.provenMachine),
      ["m1", undefined],
    );
  });
});
