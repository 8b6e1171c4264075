// Servers that do not speak etcd's language, or speak it wrongly. Whatever they say, a call ends on time with
// a classified error, and a later call to an honest server works.
import assert from "node:assert/strict";
import { once } from "node:events";
import * as http2 from "node:http2";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { create, toBinary } from "@bufbuild/protobuf";
import { EtcdClient, EtcdError } from "../../src/client/index.ts";
import type { EtcdErrorCode } from "../../src/client/index.ts";
import { PutResponseSchema, RangeResponseSchema } from "../../src/proto/generated/etcdserverpb/kv_pb.ts";
import { failsWith } from "./expect.ts";

interface Reply {
  readonly body: Uint8Array;
  readonly headers?: http2.OutgoingHttpHeaders;
  readonly trailers?: http2.OutgoingHttpHeaders;
}

/** A gRPC message: a flag byte, the length, the bytes. */
function framed(message: Uint8Array, length = message.length): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(length, 1);
  frame.set(message, 5);
  return frame;
}

async function withServer<T>(server: Server, use: (client: EtcdClient) => Promise<T>): Promise<T> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    await using client = new EtcdClient({
      endpoints: [`127.0.0.1:${port}`],
      deadlineMs: 400,
      retry: { attempts: 1 },
    });
    return await use(client);
  } finally {
    server.close();
  }
}

function answering(reply: Reply): Server {
  return http2.createServer().on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.on("error", () => {});
    stream.resume();
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", ...reply.headers },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers(reply.trailers ?? { "grpc-status": "0" }));
    stream.end(reply.body);
  });
}

const headerless = toBinary(RangeResponseSchema, create(RangeResponseSchema));
const beyond = toBinary(
  PutResponseSchema,
  create(PutResponseSchema, { header: { revision: 2n ** 60n, clusterId: 1n } }),
);

describe("a server that answers nonsense", { concurrency: true }, () => {
  const cases: readonly [what: string, reply: Reply, get: EtcdErrorCode, put: EtcdErrorCode][] = [
    [
      "bytes that are no message",
      { body: framed(Buffer.from("ffffff", "hex")) },
      "BAD_RESPONSE",
      "AMBIGUOUS",
    ],
    ["a message without its header", { body: framed(headerless) }, "BAD_RESPONSE", "BAD_RESPONSE"],
    ["a revision out of range", { body: framed(beyond) }, "BAD_RESPONSE", "BAD_RESPONSE"],
    ["nothing", { body: new Uint8Array(0) }, "BAD_RESPONSE", "AMBIGUOUS"],
    ["half a message", { body: framed(headerless, 1000).subarray(0, 4) }, "BAD_RESPONSE", "AMBIGUOUS"],
    ["a length of 4 GB", { body: framed(new Uint8Array(8), 2 ** 32 - 1) }, "BAD_RESPONSE", "AMBIGUOUS"],
    [
      "a web page",
      { body: Buffer.from("<html>"), headers: { ":status": 502, "content-type": "text/html" } },
      "UNAVAILABLE",
      "AMBIGUOUS",
    ],
    [
      "a status that is none",
      { body: framed(headerless), trailers: { "grpc-status": "99" } },
      "INTERNAL",
      "AMBIGUOUS",
    ],
    [
      "an unknown refusal",
      { body: new Uint8Array(0), trailers: { "grpc-status": "3", "grpc-message": "no" } },
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
    ],
    [
      "a method it does not have",
      { body: new Uint8Array(0), trailers: { "grpc-status": "12", "grpc-message": "no" } },
      "UNIMPLEMENTED",
      "UNIMPLEMENTED",
    ],
  ];
  for (const [what, reply, get, put] of cases) {
    it(what, () =>
      withServer(answering(reply), async (client) => {
        await failsWith(get, client.get("a"));
        await failsWith(put, client.put("a", "1"));
      }),
    );
  }

  it("what does not speak HTTP/2", async () => {
    const page = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    const error = await withServer(page, (client) =>
      client.get("a").then(
        () => assert.fail(),
        (e: EtcdError) => e,
      ),
    );
    assert.ok(["UNAVAILABLE", "TIMEOUT"].includes(error.code), error.message);
    const mute = createServer((socket) => socket.on("error", () => {}).resume());
    await withServer(mute, (client) => failsWith("TIMEOUT", client.get("a")));
  });

  it("anything at all (property)", async () => {
    let body: Uint8Array = new Uint8Array(0);
    const server = http2.createServer().on("stream", (stream: http2.ServerHttp2Stream) => {
      stream.on("error", () => {});
      stream.resume();
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(body);
    });
    await withServer(server, (client) =>
      fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.boolean(), async (bytes, frame) => {
          body = frame ? framed(bytes) : bytes;
          const calls = [client.range({ prefix: "" }), client.put("a", "b"), client.keepAliveOnce(1n)];
          for (const outcome of await Promise.allSettled<unknown>(calls)) {
            if (outcome.status === "rejected") assert.ok(outcome.reason instanceof EtcdError);
          }
        }),
        { numRuns: 60 },
      ),
    );
  });
});
