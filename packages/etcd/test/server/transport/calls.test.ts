import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { EtcdError } from "../../../src/errors.ts";
import { ERROR, frame, FRAME, word } from "../../../src/server/transport/http2/protocol.ts";
import { framed } from "../../../src/server/transport/messages.ts";
import { data, headers, RawClient, request, requestBlock } from "./support/raw-client.ts";

const CANCEL = (stream: number): string => frame("\x03\x00", stream, word(ERROR.cancel));

describe("gRPC calls", () => {
  test("that cannot be served are refused in grpc-go's words", async () => {
    const refusals: readonly [Record<string, string>, string, string][] = [
      [{ ":path": "/test.Test/Nope" }, "200", "12 unknown method Nope for service test.Test"],
      [{ ":path": "/test.Test/constructor" }, "200", "12 unknown method constructor for service test.Test"],
      [{ ":path": "/no.Such/Thing" }, "200", "12 unknown service no.Such"],
      [{ ":path": "no.Such/Thing" }, "200", "12 unknown service no.Such"],
      [{ ":path": "/nonsense" }, "200", '12 malformed method name: "/nonsense"'],
      [{ "grpc-encoding": "zstd" }, "200", '12 grpc: Decompressor is not installed for grpc-encoding "zstd"'],
      [
        { "grpc-timeout": "soon" },
        "400",
        '13 malformed grpc-timeout: strconv.ParseInt: parsing "soo": invalid syntax',
      ],
      [
        { "grpc-timeout": "1x" },
        "400",
        '13 malformed grpc-timeout: transport: timeout unit is not recognized: "1x"',
      ],
      [
        { "grpc-timeout": "123456789S" },
        "400",
        '13 malformed grpc-timeout: transport: timeout string is too long: "123456789S"',
      ],
      [
        { "grpc-timeout": "S" },
        "400",
        '13 malformed grpc-timeout: transport: timeout string is too short: "S"',
      ],
      [{ "grpc-timeout": "0m" }, "200", "4 context deadline exceeded"],
      [{ ":method": "GET" }, "405", '13 Received a HEADERS frame with :method "GET" which should be POST'],
      [{ "content-type": "text/html" }, "415", '3 invalid gRPC request content-type "text/html"'],
      [
        { "content-type": "application/grpc-web" },
        "415",
        '3 invalid gRPC request content-type "application/grpc-web"',
      ],
    ];
    await using client = new RawClient();
    let stream = 1;
    for (const [fields, status, words] of refusals) {
      client.send(request(stream, "Echo", "x", fields));
      const answer = await client.answer(stream);
      assert.equal(answer.headers[1], status);
      assert.equal(answer.status, words);
      stream += 2;
    }
    for (const contentType of ["application/grpc+proto", "application/grpc;x"]) {
      client.send(request(stream, "Echo", "x", { "content-type": contentType, "grpc-encoding": "identity" }));
      assert.equal((await client.answer(stream)).status, "0");
      stream += 2;
    }
  });

  test("without a message, with half of one, with one too large or compressed are refused", async () => {
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Echo"), true));
    client.send(headers(3, requestBlock("Echo")), data(3, "\0\0"));
    client.send(headers(5, requestBlock("Echo")), data(5, `\0${word(100_001)}`, false));
    client.send(headers(7, requestBlock("Echo")), data(7, "\x01\0\0\0\0"));
    assert.equal((await client.answer(1)).status, "2 EOF");
    assert.equal((await client.answer(3)).status, "2 unexpected EOF");
    assert.equal(
      (await client.answer(5)).status,
      "8 grpc: received message larger than max (100001 vs. 100000)",
    );
    const { status } = await client.answer(7);
    assert.equal(status, "13 grpc: compressed flag set with identity or empty encoding");
    client.send(headers(9, requestBlock("Echo")), data(9, "\x02\0\0\0\0"));
    assert.equal((await client.answer(9)).status, "13 grpc: received unexpected payload format 2");
    // Who was still sending is told that nobody listens.
    await client.frame(
      "resetStream",
      ({ stream, payload }) => stream === 5 && payload.readUInt32BE() === ERROR.none,
    );
  });

  test("may be compressed with gzip, and a bomb does not go off", async () => {
    const gzip = { "grpc-encoding": "gzip" };
    const compressed = (bytes: Buffer): string => `\x01${word(bytes.length)}${bytes.toString("latin1")}`;
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Echo", gzip)), data(1, compressed(gzipSync("hello"))));
    assert.equal((await client.answer(1)).data, framed("hello"));
    client.send(headers(3, requestBlock("Echo", gzip)), data(3, compressed(gzipSync(Buffer.alloc(1 << 20)))));
    assert.match(
      (await client.answer(3)).status,
      /^8 grpc: received message after decompression larger than max/,
    );
    client.send(headers(5, requestBlock("Echo", gzip)), data(5, compressed(Buffer.from("no gzip"))));
    assert.match((await client.answer(5)).status, /^13 grpc: failed to decompress the received message: /);
    client.send(request(7, "Echo", "not compressed", gzip));
    assert.equal((await client.answer(7)).data, framed("not compressed"));
  });

  test("end when their time is over", async () => {
    await using client = new RawClient();
    client.send(request(1, "Later", "", { "grpc-timeout": "20m" }));
    client.send(request(3, "Wait", "", { "grpc-timeout": "20000u" }));
    client.send(headers(5, requestBlock("Stream", { "grpc-timeout": "1n" })));
    for (const stream of [1, 3, 5]) {
      assert.equal((await client.answer(stream)).status, "4 context deadline exceeded");
    }
    await client.until(() => client.observed.events.length === 2);
    assert.deepEqual(client.observed.events.toSorted(), ["closed", "gone"]);
    client.observed.later[0]?.("too late");
    client.send(request(7, "Echo", "", { "grpc-timeout": "99999999H" }));
    assert.equal((await client.answer(7)).status, "0");
  });

  test("end when the client gives them up", async () => {
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Stream")), request(3, "Wait"), request(5, "Later"));
    await client.until(() => client.observed.calls.length === 1);
    client.send(CANCEL(1), CANCEL(3), CANCEL(5));
    await client.until(() => client.observed.events.length === 2);
    assert.deepEqual(client.observed.events, ["closed", "gone"]);
    client.observed.later[0]?.("nobody hears");
    client.send(request(7, "Echo"));
    await client.answer(7);
    assert.ok(!client.frames.some(({ stream }) => stream === 5));
  });

  test("go on when the client has nothing more to say", async () => {
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Stream")), data(1, framed("only")));
    await client.until(() => client.observed.events.includes("half-closed"));
    const [call] = client.observed.calls;
    call?.send("one");
    await client.until(() => client.data(1) === framed("one"));
    call?.send("two");
    call?.send("three");
    call?.end();
    const { status, data: body } = await client.answer(1);
    assert.equal(status, "0");
    assert.equal(body, ["one", "two", "three"].map(framed).join(""));
    await client.until(() => client.observed.events.includes("closed"));
  });

  test("say what went wrong, in any script", async () => {
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Stream")), headers(3, requestBlock("Stream")));
    await client.until(() => client.observed.calls.length === 2);
    const [one, two] = client.observed.calls;
    one?.send("begun");
    one?.end(new EtcdError("INTERNAL", "nö: 100 %", { grpcStatus: 13 }));
    two?.end(EtcdError.refusal("NO_LEADER"));
    assert.equal((await client.answer(1)).status, "13 n%C3%B6: 100 %25");
    assert.equal((await client.answer(3)).status, "14 etcdserver: no leader");
  });

  test("that their method ends at once, or that go wrong, end alone", async () => {
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Ended")), headers(3, requestBlock("Ended"), true));
    for (const stream of [1, 3]) {
      assert.equal((await client.answer(stream)).status, "14 etcdserver: no leader");
    }
    assert.deepEqual(client.observed.events, ["closed", "closed"]);
    client.send(headers(5, requestBlock("Faulty")), data(5, framed("m"), false));
    client.send(headers(7, requestBlock("Faulty"), true), request(9, "Echo"));
    assert.equal((await client.answer(5)).status, "15 etcdserver: corrupt cluster");
    assert.equal((await client.answer(7)).status, "15 etcdserver: corrupt cluster");
    assert.equal((await client.answer(9)).status, "0");
  });

  test("see the metadata that came with them, lists where a name came twice", async () => {
    await using client = new RawClient();
    const twice =
      requestBlock("Stream", { token: "a" }) +
      requestBlock("", { token: "b" }).slice(requestBlock("").length);
    client.send(headers(1, twice));
    await client.until(() => client.observed.calls.length === 1);
    const { metadata, peer } = client.observed.calls[0] ?? {};
    assert.deepEqual(metadata?.["token"], ["a", "b"]);
    assert.equal(metadata?.[":authority"], "http://a:1");
    assert.equal(peer?.address, "test");
  });
});

describe("a server that goes", () => {
  test("ends what would not end by itself, answers what is under way, and takes leave in two steps", async () => {
    await using client = new RawClient();
    client.send(headers(1, requestBlock("Stream")), request(3, "Wait"), request(5, "Later"));
    await client.until(() => client.observed.later.length === 1);
    const closed = client.server.close(EtcdError.refusal("SERVER_STOPPED"));
    assert.equal((await client.answer(1)).status, "14 etcdserver: server stopped");
    assert.equal((await client.answer(3)).status, "14 etcdserver: server stopped");
    const first = await client.frame("goAway");
    assert.equal(first.payload.readUInt32BE(), 2 ** 31 - 1);
    const ping = await client.frame("ping");
    // A request that was on its way is still served.
    client.send(request(7, "Echo", "late"), frame("\x06\x01", 0, ping.payload.toString("latin1")));
    assert.equal((await client.answer(7)).status, "0");
    const last = await client.frame("goAway", ({ payload }) => payload.readUInt32BE() === 7);
    assert.equal(last.payload.readUInt32BE(4), ERROR.none);
    client.send(request(9, "Echo", "too late"));
    client.observed.later[0]?.("in time");
    assert.equal((await client.answer(5)).data, framed("in time"));
    await client.until(() => client.isClosed);
    assert.ok(!client.frames.some(({ stream }) => stream === 9));
    await closed;
  });

  test("does not wait for those who do not answer", async () => {
    await using client = new RawClient();
    client.send(request(1, "Later"));
    await client.until(() => client.observed.later.length === 1);
    await client.server.close(EtcdError.refusal("SERVER_STOPPED"));
    assert.ok(client.frames.some(({ type }) => type === FRAME.goAway));
  });
});
