import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { EtcdServer } from "../../../src/server/index.ts";
import { readGreeting, SETTINGS_FRAME } from "../../../src/server/transport/greeting.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const acknowledgement = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]);

function headers(block: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, 0, block.length, 1, 4, 0, 0, 0, 1]), block]);
}

/** :method POST, then :authority as it stands. */
const plain = (authority: string): Buffer =>
  headers(Buffer.concat([Buffer.from([0x83, 0x41, authority.length]), Buffer.from(authority)]));

describe("the beginning of a connection", () => {
  test("a URL in the place of the authority loses its slashes and keeps its length", () => {
    const bytes = Buffer.concat([preface, SETTINGS_FRAME, plain("http://127.0.0.1:2379")]);
    const { state, bytes: mended } = readGreeting(bytes, false);
    assert.equal(state, "ready");
    assert.equal(mended.subarray(-21).toString(), "http:..127.0.0.1:2379");
    assert.equal(mended.length, bytes.length);
  });

  test("an authority stays as it is", () => {
    const bytes = Buffer.concat([preface, SETTINGS_FRAME, plain("127.0.0.1:2379")]);
    assert.deepEqual(readGreeting(Buffer.from(bytes), false), { state: "ready", bytes });
  });

  test("who waits for settings gets them, and its acknowledgement is kept back", () => {
    const start = Buffer.concat([preface, SETTINGS_FRAME]);
    assert.equal(readGreeting(preface, false).state, "more");
    assert.equal(readGreeting(start, false).state, "greet");
    assert.equal(readGreeting(start, true).state, "more");
    const early = Buffer.concat([start, plain("a")]);
    assert.equal(readGreeting(early, true).state, "more", "a request before the acknowledgement");
    const whole = Buffer.concat([start, acknowledgement, plain("a")]);
    assert.deepEqual(readGreeting(whole, true), { state: "ready", bytes: early });
    const behind = Buffer.concat([early, acknowledgement, plain("b")]);
    const kept = Buffer.concat([early, plain("b")]);
    assert.deepEqual(readGreeting(behind, true), { state: "ready", bytes: kept });
  });

  test("any bytes give an answer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, greeted) => {
        const bytes = Buffer.concat([preface, noise]);
        assert.ok(readGreeting(bytes, greeted).bytes.length <= bytes.length);
      }),
    );
  });

  test("a request with a URL as its authority is answered", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "keelson-greeting-"));
    const server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }] });
    const session = connect(`http://127.0.0.1:${server.addresses[0]?.port ?? 0}`);
    try {
      const request = session.request({
        ":method": "POST",
        ":path": "/etcdserverpb.Cluster/MemberList",
        ":authority": `http://127.0.0.1:${server.addresses[0]?.port ?? 0}`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      request.end(Buffer.alloc(5));
      const trailers = await new Promise<unknown>((resolve, reject) => {
        request.once("trailers", (fields) => resolve(fields["grpc-status"]));
        request.once("error", reject);
        request.resume();
      });
      assert.equal(trailers, "0");
    } finally {
      session.destroy();
      await server.close();
      await rm(dataDir, { recursive: true });
    }
  });
});
