// What gRPC itself refuses, before any service is asked: the same status, words and headers as a real etcd's.
import assert from "node:assert/strict";
import { connect, type ClientHttp2Session } from "node:http2";
import { describe, test } from "node:test";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";

interface Request {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly number[];
}

const path = (text: string): Request => ({ headers: { ":path": text } });
const timeout = (text: string): Request => ({ headers: { "grpc-timeout": text } });
const encoding = (text: string): Request => ({ headers: { "grpc-encoding": text } });

const REQUESTS: readonly Request[] = [
  {},
  { headers: { "content-type": "text/html" } },
  { headers: { "content-type": "application/grpc-web" } },
  { headers: { ":method": "GET" } },
  ...["soon", "1x", "123456789S", "S", "5S"].map(timeout),
  ...["/nonsense", "/a/b/c", "/etcdserverpb.KV/", "/etcdserverpb.KV/Nope", "/no.Such/Thing"].map(path),
  ...["identity", "gzip", "bogus"].map(encoding),
  { body: [] },
  { body: [0, 0, 0] },
  { body: [0, 0, 0, 0, 9, 1] },
  { body: [1, 0, 0, 0, 0] },
  { body: [2, 0, 0, 0, 0] },
  { body: [0, 0, 0, 0, 2, 0x0a, 0x7f] },
  { body: [0, 1, 255, 255, 255] },
  { body: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
];
const SHOWN = [":status", "content-type", "grpc-status", "grpc-message"];

const tools = await etcd35();

describe("refusals of gRPC", { skip: "unavailable" in tools && tools.unavailable }, () => {
  if ("unavailable" in tools) return;
  test("are a real etcd's", async () => {
    await using real = await realEtcd(tools.etcd);
    await using ours = await embedded();
    const [theirs, mine] = [connect(`http://${real.address}`), connect(`http://${ours.address}`)];
    try {
      for (const request of REQUESTS) {
        assert.deepEqual(await answer(mine, request), await answer(theirs, request), JSON.stringify(request));
      }
    } finally {
      theirs.destroy();
      mine.destroy();
    }
  });
});

function answer(client: ClientHttp2Session, { headers, body }: Request): Promise<Record<string, unknown>> {
  const usual = { ":method": "POST", ":path": "/etcdserverpb.KV/Range", "content-type": "application/grpc" };
  const stream = client.request({ ...usual, te: "trailers", ...headers }, { endStream: false });
  const shown: Record<string, unknown> = {};
  const take = (fields: Record<string, unknown>): void => {
    for (const name of SHOWN) if (fields[name] !== undefined) shown[name] = fields[name];
  };
  stream.on("response", take).on("trailers", take).resume();
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.once("close", () => resolve(shown));
    stream.end(Buffer.from(body ?? [0, 0, 0, 0, 0]));
  });
}
