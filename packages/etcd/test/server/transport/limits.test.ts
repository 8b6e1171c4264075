// What clients can do to a server, and where it ends. docs/operations/store-limits.md has the same list.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { ERROR, frame, FRAME, settingsFrame, word } from "../../../src/server/transport/http2/protocol.ts";
import { literal } from "../../../src/server/transport/http2/hpack/encoder.ts";
import { framed } from "../../../src/server/transport/messages.ts";
import {
  data,
  headers,
  PREFACE_TEXT,
  RawClient,
  request,
  requestBlock,
  SETTINGS,
  SETTINGS_ACK,
} from "./support/raw-client.ts";
import { running } from "./support/running.ts";

const PING = frame("\x06\x00", 0, "12345678");
const CALM = ERROR.enhanceYourCalm;
const reset = (stream: number): string => frame("\x03\x00", stream, word(ERROR.cancel));
const idleFrames = { most: 50, perSecond: 0 };

describe("limits", () => {
  test("streams of a connection: those above are refused, and one that ends makes room", async () => {
    await using client = new RawClient({ streams: 2 });
    client.send(...[1, 3, 5].map((id) => headers(id, requestBlock("Stream"))));
    const refused = await client.frame("resetStream");
    assert.deepEqual([refused.stream, refused.payload.readUInt32BE()], [5, ERROR.refusedStream]);
    client.send(reset(1), request(7, "Echo"));
    assert.equal((await client.answer(7)).status, "0");
  });

  test("a request that was given up takes its place until its work is done", async () => {
    await using client = new RawClient({ streams: 2 });
    client.send(request(1, "Later"), request(3, "Later"));
    await client.until(() => client.observed.later.length === 2);
    client.send(reset(1), reset(3), request(5, "Echo"));
    assert.equal(
      (await client.frame("resetStream", ({ stream }) => stream === 5)).payload.readUInt32BE(),
      ERROR.refusedStream,
    );
    for (const resolve of client.observed.later) resolve("");
    await new Promise((resolve) => setImmediate(resolve));
    client.send(request(7, "Echo"));
    assert.equal((await client.answer(7)).status, "0");
  });

  test("rapid resets end the connection", async () => {
    await using client = new RawClient({ resets: { most: 10, perSecond: 0 } });
    for (let id = 1; id < 30; id += 2) client.send(request(id, "Later"), reset(id));
    assert.equal((await client.goAway()).number, CALM);
    assert.equal(client.observed.later.length, 11);
  });

  test("pings that come too soon end the connection, unless the server has answered something since", async () => {
    await using busy = new RawClient();
    for (let id = 1; id < 20; id += 2) busy.send(request(id, "Echo"), PING);
    await busy.until(() => busy.frames.filter(({ type }) => type === FRAME.ping).length === 10);
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Stream")), PING.repeat(3));
    await client.until(() => client.frames.filter(({ type }) => type === FRAME.ping).length === 3);
    client.send(PING);
    assert.deepEqual(await client.goAway(), { number: CALM, words: "too_many_pings" });
  });

  test("frames that ask for nothing end the connection", async () => {
    const floods: Readonly<Record<string, string>> = {
      settings: settingsFrame([[4, 100]]),
      acknowledgements: SETTINGS_ACK,
      "empty data": data(1, "", false),
      "padding that is all there is": frame("\x00\x08", 1, "\x01\0"),
      "window updates": frame("\x08\x00", 1, word(1)),
      "window updates of the connection": frame("\x08\x00", 0, word(1)),
      priorities: frame("\x02\x00", 1, "\0\0\0\0\0"),
      extensions: frame("\xfa\x00", 0, ""),
      "answers to no ping": frame("\x06\x01", 0, "12345678"),
    };
    for (const [what, bytes] of Object.entries(floods)) {
      await using client = new RawClient({ idleFrames });
      client.send(headers(1, requestBlock("Stream")), bytes.repeat(45), request(3, "Echo"));
      await client.answer(3);
      client.send(bytes.repeat(50));
      assert.equal((await client.goAway()).number, CALM, what);
    }
  });

  test("a client that is served may update its windows for as long as it likes", async () => {
    await using client = new RawClient({ idleFrames });
    for (let id = 1; id < 400; id += 2) {
      client.send(request(id, "Echo"), frame("\x08\x00", 0, word(1)), frame("\x08\x00", id, word(1)));
    }
    assert.equal((await client.answer(399)).status, "0");
  });

  test("headers: a list that is too large resets its stream, a block without end the connection", async () => {
    await using client = new RawClient({ headerBytes: 1000 });
    client.send(headers(1, requestBlock("Echo", { large: "x".repeat(900) })));
    assert.equal((await client.frame("resetStream")).payload.readUInt32BE(), ERROR.frameSize);
    client.send(request(3, "Echo"));
    assert.equal((await client.answer(3)).status, "0");
    client.send(
      frame("\x01\x00", 5, requestBlock("Echo")),
      frame("\x09\x00", 5, literal("a", "x".repeat(900))).repeat(2),
    );
    assert.equal((await client.goAway()).number, CALM);
    await using many = new RawClient();
    many.send(frame("\x01\x00", 1, requestBlock("Echo")), frame("\x09\x00", 1, literal("a", "b")).repeat(40));
    assert.equal((await many.goAway()).number, CALM);
    await using empty = new RawClient({ idleFrames });
    empty.send(frame("\x01\x00", 1, ""), frame("\x09\x00", 1, "").repeat(60));
    assert.equal((await empty.goAway()).number, CALM);
  });

  test("requests that have come in part share a budget", async () => {
    await using client = new RawClient({ heldBytes: 100_000 });
    const part = framed("x".repeat(60_000)).slice(0, 16_000);
    const started = (id: number): string =>
      headers(id, requestBlock("Echo")) + data(id, part, false).repeat(3);
    client.send(started(1), started(3), started(5));
    assert.equal((await client.answer(3)).status, "8 etcdserver: too many requests");
    // What the refused ones held is free again.
    client.send(request(7, "Echo", "y".repeat(10_000)));
    assert.equal((await client.answer(7)).status, "0");
  });

  test("windows that a client oversteps cost it the stream, or the connection", async () => {
    await using client = new RawClient({ streams: 10 }, PREFACE_TEXT + SETTINGS);
    client.send(headers(1, requestBlock("Echo")));
    // The message was refused early, so its window is not filled up again, and the connection's is.
    client.send(data(1, framed("x".repeat(200_000)).slice(0, 16_000), false).repeat(600));
    assert.match((await client.answer(1)).status, /^8 /);
    client.send(request(3, "Echo"));
    assert.equal((await client.answer(3)).status, "0");
  });

  test("who does not read has no more requests begun, and they are begun when it reads", async () => {
    await using client = new RawClient({ waitingBytes: 200_000 }, PREFACE_TEXT + settingsFrame([[4, 0]]));
    for (let id = 1; id < 20; id += 2) client.send(request(id, "Size", word(99_000)));
    // A request that comes in parts, and one that is given up while it waits.
    const large = framed("z".repeat(10_000));
    client.send(headers(21, requestBlock("Echo")), data(21, large.slice(0, 4000), false));
    client.send(request(23, "Later"), reset(23), data(21, large.slice(4000), true));
    await client.until(() => client.observed.events.length === 3);
    client.send(settingsFrame([[4, 1 << 20]]), frame("\x08\x00", 0, word(1 << 20)));
    for (let id = 1; id < 20; id += 2) assert.equal((await client.answer(id)).data.length, 99_005);
    assert.equal((await client.answer(21)).data.length, 10_005);
    assert.deepEqual([client.observed.events.length, client.observed.later.length], [10, 0]);
  });

  test("requests that wait are bounded", async () => {
    await using client = new RawClient({ waitingBytes: 1000 }, PREFACE_TEXT + settingsFrame([[4, 0]]));
    client.send(request(1, "Size", word(99_000)));
    for (let id = 3; id < 1000; id += 2) client.send(request(id, "Echo", "y".repeat(16_000)));
    const refused = await client.frame("resetStream");
    assert.equal(refused.payload.readUInt32BE(), CALM);
    assert.ok(refused.stream > 400 && refused.stream < 600, String(refused.stream));
  });

  test("who does not read and is told more and more has no connection any more", async () => {
    await using client = new RawClient({ waitingBytes: 1000, streams: 0 });
    client.read(false);
    for (let id = 1; id < 240_000; id += 2) client.send(headers(id, requestBlock("Echo"), true));
    client.read(true);
    assert.equal((await client.goAway()).number, CALM);
  });

  test("an answer may be larger than what may wait", async () => {
    const grown = settingsFrame([[4, 1 << 20]]) + frame("\x08\x00", 0, word(1 << 20));
    await using client = new RawClient({ waitingBytes: 1000 }, PREFACE_TEXT + grown);
    client.send(request(1, "Size", word(990_000)));
    assert.equal((await client.answer(1)).data.length, 990_005);
  });

  test("a stream that is behind is told once its client reads again", async () => {
    await using client = new RawClient({}, PREFACE_TEXT + settingsFrame([[4, 0]]));
    client.send(headers(1, requestBlock("Stream")), headers(3, requestBlock("Stream")));
    await client.until(() => client.observed.calls.length === 2);
    const [slow, other] = client.observed.calls;
    assert.equal(slow?.isBehind, false);
    slow?.send("x".repeat(5 << 20));
    await client.until(() => slow?.isBehind === true);
    assert.equal(other?.isBehind, false);
    client.send(frame("\x08\x00", 0, word(8 << 20)), frame("\x08\x00", 1, word(512 << 10)));
    await client.until(() => client.data(1).length === 512 << 10);
    assert.ok(!client.observed.events.includes("drained"));
    client.send(frame("\x08\x00", 1, word(8 << 20)));
    await client.until(() => client.observed.events.includes("drained"));
    assert.equal(slow?.isBehind, false);
  });

  test("who sends for as long as its client reads comes to an end, whatever the windows allow", async () => {
    for (const window of [0, 2 ** 31 - 1]) {
      const grown = frame("\x08\x00", 0, word(2 ** 31 - 1 - 65_535));
      await using client = new RawClient({}, PREFACE_TEXT + settingsFrame([[4, window]]) + grown);
      client.send(headers(1, requestBlock("Stream")));
      await client.until(() => client.observed.calls.length === 1);
      client.read(false);
      const [call] = client.observed.calls;
      const message = "x".repeat(100_000);
      let sent = 0;
      for (; call?.isBehind === false && sent < 1000; sent++) call.send(message);
      assert.ok(sent > 30 && sent < 60, String(sent));
    }
  });

  test("a request, a frame and a header block that do not come to their end are given up", async () => {
    await using request1 = new RawClient({ requestTime: 40 });
    request1.send(
      headers(1, requestBlock("Stream")),
      headers(3, requestBlock("Echo")),
      data(3, "\0\0", false),
    );
    const given = await request1.frame("resetStream");
    assert.deepEqual([given.stream, given.payload.readUInt32BE()], [3, ERROR.cancel]);
    for (const start of ["\0", frame("\x01\x00", 1, requestBlock("Echo"))]) {
      await using client = new RawClient({ frameTime: 40 });
      client.send(start);
      await client.until(() => client.isClosed);
    }
  });

  test("a silent client is pinged, and lives if it answers", async () => {
    const keepalive = { minTime: 5000, interval: 40, timeout: 40 };
    await using alive = new RawClient({ keepalive });
    for (let count = 1; count <= 3; count++) {
      await alive.until(() => alive.frames.filter(({ type }) => type === FRAME.ping).length === count);
      alive.send(frame("\x06\x01", 0, "alive ?!"));
    }
    assert.ok(!alive.isClosed);
    await using dead = new RawClient({ keepalive });
    await dead.frame("ping");
    await dead.until(() => dead.isClosed);
  });

  test("connections above the limit are closed at once", async () => {
    await using server = await running({ transport: { connections: 2 } });
    const open = (): Socket => connect(server.port, "127.0.0.1").resume();
    const [first, second] = [open(), open()];
    await Promise.all([once(first, "connect"), once(second, "connect")]);
    const third = open();
    await once(third, "close");
    first.destroy();
    second.destroy();
  });

  test("HTTP/1.1: a request line and headers that are too long are refused", async () => {
    await using server = await running();
    const socket = connect(server.port, "127.0.0.1").setEncoding("latin1");
    socket.write(`GET /${"x".repeat(70_000)} HTTP/1.1\r\n`);
    const [answer] = (await once(socket, "data")) as [string];
    assert.match(answer, /^HTTP\/1\.1 431 /);
    socket.destroy();
  });
});
