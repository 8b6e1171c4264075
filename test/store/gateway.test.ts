// The JSON gateway and the pages answer as real etcd does. Debian's etcd 3.4 is built with grpc-gateway 1, whose form
// upstream's 3.5 has too; its 3.5 is built with grpc-gateway 2, and agrees in what succeeds.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { embedded, etcd35, realEtcd, type TestServer } from "./support/servers.ts";

interface Asked {
  readonly path: string;
  readonly body?: string;
  readonly method?: string;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const post = (path: string, body: unknown = {}): Asked => ({
  path: `v3/${path}`,
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const key = base64("a");

/** Answered alike by all. */
const SUCCEEDS: readonly Asked[] = [
  post("kv/put", { key, value: base64("1") }),
  post("kv/put", { key, value: base64("2"), prevKv: true }),
  post("kv/put", { key: base64("b"), value: base64("<&>") }),
  post("kv/range", { key }),
  post("kv/range", { key, range_end: base64("z"), limit: "1" }),
  post("kv/range", {
    key,
    rangeEnd: base64("z"),
    sort_order: "DESCEND",
    sortTarget: "VALUE",
    keys_only: true,
  }),
  post("kv/range", { key, range_end: base64("z"), count_only: true, sort_order: 2 }),
  post("kv/range", { key, keys_only: null, limit: null, nobody: { knows: [1] } }),
  post("kv/range", `{"key":"${key}"} and more`),
  post("kv/txn", {
    compare: [{ target: "VERSION", key, version: "2", result: "EQUAL" }],
    success: [
      { requestPut: { key, value: base64("3") } },
      { request_range: { key } },
      { requestDeleteRange: { key: base64("zz") } },
      { request_txn: { success: [{ request_range: { key } }] } },
    ],
  }),
  post("kv/txn", { compare: [{ target: 1, key: base64("q"), create_revision: 5, result: 0 }], failure: [] }),
  post("kv/deleterange", { key, prev_kv: true }),
  post("kv/compaction", { revision: "2" }),
  post("lease/grant", '{"ID":7587865424232484003,"TTL":"60"}'),
  post("lease/timetolive", { ID: "7587865424232484003", keys: true }),
  post("kv/lease/timetolive", { ID: "5" }),
  post("lease/leases"),
  post("kv/lease/leases"),
  post("lease/keepalive", '{"ID":"7587865424232484003"}{"ID":1}'),
  post("kv/lease/revoke", { ID: "7587865424232484003" }),
  post("maintenance/alarm", { action: "GET" }),
  { ...post("kv/range", { key: base64("b") }), path: "v3beta/kv/range" },
  { path: "health" },
  { path: "health?serializable=true" },
  { path: "health?exclude=NOSPACE" },
  { path: "health", method: "POST" },
  { path: "health", method: "HEAD" },
  { path: "version", method: "PUT" },
  { path: "debug/vars", method: "PUT" },
  { path: "nothing" },
  { path: "v3/kv/range", method: "OPTIONS" },
];

/** Refused by upstream's gateway as by 3.4's. */
const REFUSED: readonly Asked[] = [
  post("kv/range", ""),
  post("kv/range", "null"),
  post("kv/range", { key, revision: 99 }),
  post("kv/compaction", { revision: 1 }),
  post("lease/revoke", { ID: 5 }),
  post("lease/grant", { TTL: "9000000001" }),
  post(
    "kv/txn",
    '{"compare":[{"result":0,"target":1,"key":"Zm9v","TargetUnion":null}],"success":[{"Request":{}}]}',
  ),
  ...[
    "{",
    '{"key"',
    '{"key":"a",}',
    "{key:1}",
    '{"a" 1}',
    '{"a":1 "b"}',
    '{"a":[1 2]}',
    '{"a":tru}',
    '{"a":-}',
  ].map((body) => post("kv/range", body)),
  ...[
    '{"a":01}',
    '{"a":1.}',
    '{"a":"\\x"}',
    '{"a":"\\u00g0"}',
    '{"a":"\u0001"}',
    "'x'",
    "garbage",
    "[]",
    '"x"',
    "5",
  ].map((body) => post("kv/range", body)),
  ...["x", 1.5, {}, true, "", "1.5", "true"].map((limit) => post("kv/range", { key, limit })),
  ...["***", "YQ", "YQ=", "Y=Q=", "-_==", "YQ==YQ==", 5, { a: 1 }, true, [256]].map((bytes) =>
    post("kv/range", { key: bytes }),
  ),
  ...["true", 1, []].map((keys_only) => post("kv/range", { key, keys_only })),
  post("kv/txn", { success: {} }),
  post("kv/txn", { success: [1] }),
  post("kv/range/"),
  post("kv"),
  post("nothing/here"),
  { path: "v3/kv/range" },
  { path: "v3/kv/range", method: "PUT" },
  { path: "v3/nothing" },
];

/** Only etcd 3.5 has these. */
const PAGES_35: readonly Asked[] = [
  { path: "livez" },
  { path: "livez?verbose" },
  { path: "readyz" },
  { path: "readyz?exclude=data_corruption&exclude=linearizable_read&verbose" },
  { path: "readyz?exclude=nothing" },
  { path: "livez/serializable_read" },
  { path: "readyz/data_corruption" },
  { path: "readyz/linearizable_read?verbose" },
  { path: "readyz/nothing" },
  { path: "livez", method: "POST" },
];

/** Numbers that differ from store to store, and members of objects in one order. */
function comparable(text: string): unknown {
  try {
    return JSON.parse(
      text.replaceAll(/"(cluster_id|member_id|raft_term)":\s*"\d+"/g, '"$1":"N"'),
      (_name, value: unknown) =>
        value !== null && typeof value === "object" && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
          : value,
    );
  } catch {
    return text
      .split("\n")
      .map((line) => line.replaceAll(/\s|"(?:cluster_id|member_id|raft_term)":\s*"\d+"/g, ""));
  }
}

async function answer(
  server: TestServer,
  { path, body, method = body === undefined ? "GET" : "POST" }: Asked,
) {
  const response = await fetch(`http://${server.address}/${path}`, {
    method,
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const headers = ["content-type", "allow", "access-control-allow-origin", "access-control-allow-methods"];
  return {
    status: response.status,
    headers: headers.map((name) => response.headers.get(name)),
    body: comparable(text),
  };
}

const nameOf = ({ path, body = "", method = "" }: Asked): string => `${method} ${path} ${body}`.trim();

describe("the gateway and the pages", () => {
  test(
    "answer as etcd 3.4's",
    { skip: !existsSync("/usr/bin/etcd") && "etcd 3.4 is not installed" },
    async (t) => {
      await using ours = await embedded();
      await using theirs = await realEtcd("/usr/bin/etcd");
      for (const asked of [...SUCCEEDS, ...REFUSED]) {
        // 3.4 tells /health without a reason, and alarms without a header.
        if ((asked.path.startsWith("health") && asked.method === undefined) || asked.path.endsWith("alarm"))
          continue;
        await t.test(nameOf(asked), async () =>
          assert.deepEqual(await answer(ours, asked), await answer(theirs, asked)),
        );
      }
    },
  );

  test("answer as etcd 3.5's where both have the same form", async (t) => {
    const tools = await etcd35();
    if ("unavailable" in tools) return t.skip(tools.unavailable);
    await using ours = await embedded();
    await using theirs = await realEtcd(tools.etcd);
    for (const asked of [...SUCCEEDS, ...PAGES_35, { path: "version" }]) {
      await t.test(nameOf(asked), async () =>
        assert.deepEqual(await answer(ours, asked), await answer(theirs, asked)),
      );
    }
    for (const asked of REFUSED.filter(({ body }) => /99|"ID":5|TargetUnion/.test(body ?? ""))) {
      await t.test(nameOf(asked), async () => {
        const [own, other] = [await answer(ours, asked), await answer(theirs, asked)];
        const { error, ...rest } = own.body as Readonly<Record<string, unknown>>;
        assert.deepEqual({ ...own, body: rest }, other);
        assert.equal(error, rest["message"]);
      });
    }
  });
});
