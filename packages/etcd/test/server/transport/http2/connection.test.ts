import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { literal } from "../../../../src/server/transport/http2/hpack/encoder.ts";
import { ERROR, frame, FRAME, settingsFrame, word } from "../../../../src/server/transport/http2/protocol.ts";
import { framed } from "../../../../src/server/transport/messages.ts";
import {
  data,
  headers,
  PREFACE_TEXT,
  RawClient,
  request,
  requestBlock,
  SETTINGS,
} from "../support/raw-client.ts";

const windowUpdate = (stream: number, more: number): string => frame("\x08\x00", stream, word(more));
const initialWindow = (bytes: number): string => settingsFrame([[4, bytes]]);
const size = (bytes: number): string => word(bytes);

/** That code stands for an exception nobody foresaw. */
function assertNoInternalError({ frames }: RawClient): void {
  for (const { type, payload } of frames) {
    if (type === FRAME.goAway) assert.notEqual(payload.readUInt32BE(4), ERROR.internal);
  }
}

describe("an HTTP/2 connection", () => {
  test("begins with the server's settings and its acknowledgement", async () => {
    await using client = new RawClient();
    const { payload } = await client.frame("settings", ({ flags }) => flags === 0);
    assert.equal(payload.readUInt16BE(0), 3);
    assert.equal(payload.readUInt32BE(2), 10_000);
    await client.frame("settings", ({ flags }) => flags === 1);
  });

  test("answers a request with headers, data and trailers, whatever its authority is", async () => {
    await using client = new RawClient();
    client.send(request(1, "Echo", "hello"));
    const { status, data: body, headers: fields } = await client.answer(1);
    assert.equal(body, framed("hello"));
    assert.equal(status, "0");
    assert.deepEqual(fields, [
      ":status",
      "200",
      "content-type",
      "application/grpc",
      "grpc-status",
      "0",
      "grpc-message",
      "",
    ]);
  });

  test("sends all answers of one turn in one piece", async () => {
    await using client = new RawClient();
    await client.frame("settings", ({ flags }) => flags === 1);
    const before = client.reads.length;
    client.send(...[1, 3, 5, 7].map((id) => request(id, "Echo", String(id))));
    await client.answer(7);
    assert.deepEqual(client.reads.slice(before), [12]);
    client.send(...[9, 11].map((id) => request(id, "Later")));
    await client.until(() => client.observed.later.length === 2);
    for (const resolve of client.observed.later) resolve("");
    await client.answer(11);
    assert.deepEqual(client.reads.slice(before), [12, 6]);
  });

  test("is answered the same however its bytes are cut", async () => {
    const block = requestBlock("Echo");
    const padded = frame("\x00\x09", 3, `\x03${framed("padded")}\0\0\0`);
    const priority = frame("\x01\x24", 3, `\0\0\0\0\x10${block}`);
    const cut =
      frame("\x01\x00", 5, block.slice(0, 20)) +
      frame("\x09\x00", 5, "") +
      frame("\x09\x04", 5, block.slice(20));
    const bytes = Buffer.from(
      [
        PREFACE_TEXT,
        SETTINGS,
        request(1, "Echo", "one"),
        priority,
        padded,
        cut,
        data(5, "\0\0\0\0", false),
        data(5, "\x03two"),
        frame("\xfa\x00", 0, "an extension"),
      ].join(""),
      "latin1",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
        async (cuts) => {
          await using client = new RawClient({}, "");
          for (let at = 0, count = 0; at < bytes.length; count++) {
            const length = cuts[count % cuts.length] as number;
            client.sendBytes(bytes.subarray(at, at + length));
            at += length;
          }
          const answers = [await client.answer(1), await client.answer(3), await client.answer(5)];
          assert.deepEqual(
            answers.map((each) => each.data),
            ["one", "padded", "two"].map(framed),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  test("sends no more data than the windows of stream and connection take, and goes on when they grow", async () => {
    await using client = new RawClient({}, PREFACE_TEXT + initialWindow(10));
    client.send(request(1, "Size", size(30)));
    await client.until(() => client.data(1).length === 10);
    client.send(windowUpdate(1, 5));
    await client.until(() => client.data(1).length === 15);
    // Settings reach open streams as well; a window may even become negative (6.9.2).
    client.send(initialWindow(0), windowUpdate(1, 9), initialWindow(12));
    await client.until(() => client.data(1).length === 26);
    client.send(windowUpdate(1, 1000));
    assert.equal((await client.answer(1)).data, framed("x".repeat(30)));
    client.send(initialWindow(1 << 20), request(3, "Size", size(70_000)));
    await client.until(() => client.data(3).length === 65_535 - 35);
    client.send(request(5, "Size", size(70_000)), windowUpdate(0, 50_000));
    await client.answer(3);
    await client.until(() => client.data(3).length + client.data(5).length === 65_535 - 35 + 50_000);
    client.send(windowUpdate(0, 80_000));
    assert.equal((await client.answer(5)).data.length, 70_005);
  });

  test("splits data into frames of the size that the client takes", async () => {
    await using client = new RawClient();
    client.send(request(1, "Size", size(40_000)));
    await client.answer(1);
    const longest = (stream: number): number =>
      Math.max(
        ...client.frames
          .filter(({ type, stream: id }) => type === FRAME.data && id === stream)
          .map(({ payload }) => payload.length),
      );
    assert.equal(longest(1), 16_384);
    client.send(settingsFrame([[5, 32_768]]), windowUpdate(0, 100_000), request(3, "Size", size(40_000)));
    await client.answer(3);
    assert.equal(longest(3), 32_768);
  });

  test("lets a client send on and on: its windows are filled up again", async () => {
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Stream")));
    for (let count = 0; count < 400; count++) client.send(data(1, framed("m".repeat(10_000)), false));
    await client.until(() => client.observed.events.length === 400);
    const more = (stream: number): number =>
      client.frames
        .filter((each) => each.type === FRAME.windowUpdate && each.stream === stream)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
    assert.ok(more(1) > 1 << 20);
    assert.ok(more(0) > 1 << 20);
  });

  test("takes a client's word that it keeps no table", async () => {
    await using client = new RawClient({}, PREFACE_TEXT + settingsFrame([[1, 0]]));
    client.send(request(1, "Echo"), request(3, "Echo"));
    await client.answer(3);
    const [first, ...others] = client.frames.filter(({ type }) => type === FRAME.headers);
    assert.equal(first?.payload[0], 0x20);
    for (const { payload } of others) assert.ok([...payload].every((byte) => byte < 0xbe));
  });

  test("what breaks the protocol ends the connection, with the code that says how", async () => {
    const started = headers(1, requestBlock("Stream"));
    const violations: readonly [string, string, number][] = [
      ["another preface", "", ERROR.protocol],
      ["no settings first", PREFACE_TEXT + frame("\x06\x00", 0, "12345678"), ERROR.protocol],
      [
        "a frame that is too large",
        `${PREFACE_TEXT}${SETTINGS}\x00\x40\x01\x00\x00\x00\x00\x00\x01`,
        ERROR.frameSize,
      ],
      ["settings cut short", PREFACE_TEXT + frame("\x04\x00", 0, "\0"), ERROR.frameSize],
      ["settings on a stream", PREFACE_TEXT + SETTINGS + frame("\x04\x00", 1, ""), ERROR.protocol],
      [
        "settings that acknowledge and say something",
        PREFACE_TEXT + SETTINGS + frame("\x04\x01", 0, "\0\0\0\0\0\0"),
        ERROR.frameSize,
      ],
      ["a window that is too large", PREFACE_TEXT + settingsFrame([[4, 2 ** 31]]), ERROR.flowControl],
      ["a frame size out of range", PREFACE_TEXT + settingsFrame([[5, 100]]), ERROR.protocol],
      ["neither push nor not", PREFACE_TEXT + settingsFrame([[2, 2]]), ERROR.protocol],
      ["a short ping", PREFACE_TEXT + SETTINGS + frame("\x06\x00", 0, "1234567"), ERROR.frameSize],
      ["a ping on a stream", PREFACE_TEXT + SETTINGS + frame("\x06\x00", 1, "12345678"), ERROR.protocol],
      ["GOAWAY on a stream", PREFACE_TEXT + SETTINGS + frame("\x07\x00", 1, "12345678"), ERROR.protocol],
      ["a promise", PREFACE_TEXT + SETTINGS + frame("\x05\x04", 1, "\0\0\0\x02"), ERROR.protocol],
      ["priority of the connection", PREFACE_TEXT + SETTINGS + frame("\x02\x00", 0, "12345"), ERROR.protocol],
      ["data for the connection", PREFACE_TEXT + SETTINGS + data(0, "x"), ERROR.protocol],
      ["data for a stream that never was", PREFACE_TEXT + SETTINGS + data(5, "x"), ERROR.protocol],
      [
        "a reset of a stream that never was",
        PREFACE_TEXT + SETTINGS + frame("\x03\x00", 5, word(8)),
        ERROR.protocol,
      ],
      ["a short reset", PREFACE_TEXT + SETTINGS + started + frame("\x03\x00", 1, "\0"), ERROR.frameSize],
      ["a window for a stream that never was", PREFACE_TEXT + SETTINGS + windowUpdate(7, 1), ERROR.protocol],
      ["a short window update", PREFACE_TEXT + SETTINGS + frame("\x08\x00", 0, "\0"), ERROR.frameSize],
      ["a window that grows by nothing", PREFACE_TEXT + SETTINGS + windowUpdate(0, 0), ERROR.protocol],
      ["a window that overflows", PREFACE_TEXT + SETTINGS + windowUpdate(0, 2 ** 31 - 1), ERROR.flowControl],
      [
        "a stream of the server's",
        PREFACE_TEXT + SETTINGS + headers(2, requestBlock("Echo")),
        ERROR.protocol,
      ],
      [
        "headers of the connection",
        PREFACE_TEXT + SETTINGS + headers(0, requestBlock("Echo")),
        ERROR.protocol,
      ],
      [
        "a block that is interrupted",
        PREFACE_TEXT +
          SETTINGS +
          frame("\x01\x00", 1, requestBlock("Echo")) +
          frame("\x06\x00", 0, "12345678"),
        ERROR.protocol,
      ],
      ["a continuation of nothing", PREFACE_TEXT + SETTINGS + frame("\x09\x04", 1, ""), ERROR.protocol],
      [
        "headers that are all padding",
        PREFACE_TEXT + SETTINGS + frame("\x01\x0c", 1, "\x05ab"),
        ERROR.protocol,
      ],
      ["a priority cut short", PREFACE_TEXT + SETTINGS + frame("\x01\x24", 1, "ab"), ERROR.frameSize],
      [
        "a block that cannot be read",
        PREFACE_TEXT + SETTINGS + headers(1, "\xff\xff\xff\xff\xff\xff"),
        ERROR.compression,
      ],
      ["an index of nothing", PREFACE_TEXT + SETTINGS + headers(1, "\x80"), ERROR.compression],
      ["a name in upper case", PREFACE_TEXT + SETTINGS + headers(1, literal("Upper", "x")), ERROR.protocol],
    ];
    for (const [what, bytes, number] of violations) {
      await using client = new RawClient(
        {},
        bytes === "" ? "GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n" : bytes,
      );
      assert.equal((await client.goAway()).number, number, what);
    }
  });

  test("what breaks the rules of a stream ends that stream alone", async () => {
    const block = requestBlock("Stream");
    const without = (name: string): string =>
      [":method", ":scheme", ":path"]
        .filter((each) => each !== name)
        .map((each) => literal(each, "x"))
        .join("");
    const violations: readonly [string, string, number][] = [
      ["data after the end", headers(1, block) + data(1, "") + data(1, ""), ERROR.streamClosed],
      ["a window that grows by nothing", headers(1, block) + windowUpdate(1, 0), ERROR.protocol],
      ["a window that overflows", headers(1, block) + windowUpdate(1, 2 ** 31 - 1), ERROR.flowControl],
      ["headers again that are no trailers", headers(1, block) + headers(1, block), ERROR.protocol],
      ["no method", headers(1, without(":method")), ERROR.protocol],
      ["no scheme", headers(1, without(":scheme")), ERROR.protocol],
      ["no path", headers(1, without(":path")), ERROR.protocol],
      ["a method twice", headers(1, literal(":method", "POST") + block), ERROR.protocol],
      ["an unknown pseudo-header", headers(1, literal(":other", "x") + block), ERROR.protocol],
      [
        "a pseudo-header after others",
        headers(1, block.replace(literal(":scheme", "http"), "") + literal(":scheme", "http")),
        ERROR.protocol,
      ],
      ["a header of one connection", headers(1, block + literal("connection", "close")), ERROR.protocol],
    ];
    for (const [what, bytes, number] of violations) {
      await using client = new RawClient();
      client.send(bytes);
      assert.equal((await client.frame("resetStream")).payload.readUInt32BE(), number, what);
      client.send(request(99, "Echo", "still here"));
      assert.equal((await client.answer(99)).status, "0", what);
    }
  });

  test("trailers end a request", async () => {
    await using client = new RawClient();
    client.send(
      headers(1, requestBlock("Stream")),
      data(1, framed("m"), false),
      headers(1, literal("a", "b"), true),
    );
    await client.until(() => client.observed.events.length === 2);
    assert.deepEqual(client.observed.events, ["message m", "half-closed"]);
  });

  test("frames for streams that are over change nothing", async () => {
    await using client = new RawClient();
    client.send(
      request(1, "Echo"),
      windowUpdate(1, 5),
      frame("\x03\x00", 1, word(8)),
      data(1, "late"),
      headers(1, literal("a", "b"), true),
    );
    client.send(request(3, "Echo"));
    assert.equal((await client.answer(3)).status, "0");
  });

  test("bytes that were turned over end in an answer or the end of the connection, and never hang the server", async () => {
    const session = [
      PREFACE_TEXT,
      settingsFrame([[4, 1000]]),
      request(1, "Echo", "hello"),
      request(3, "Size", size(3000)),
      headers(5, requestBlock("Stream", { "grpc-timeout": "1S" })),
      data(5, framed("message"), false),
      windowUpdate(3, 5000),
      frame("\x06\x00", 0, "12345678"),
      frame("\x03\x00", 5, word(8)),
      request(7, "Later"),
    ].join("");
    const bytes = Buffer.from(session, "latin1");
    const flip = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(flip, { minLength: 1, maxLength: 6 }),
        fc.nat(bytes.length),
        async (flips, end) => {
          const turned = Buffer.from(bytes);
          for (const [at, mask] of flips) turned[at] = (turned[at] as number) ^ mask;
          await using client = new RawClient({}, "");
          client.sendBytes(turned.subarray(0, end));
          await client.frame("settings");
        },
      ),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
        await using client = new RawClient();
        client.sendBytes(Buffer.from(noise));
        await client.frame("settings", ({ flags }) => flags === 1);
        assertNoInternalError(client);
      }),
      { numRuns: 300 },
    );
  });
});
