// The same random requests go to a real etcd 3.5 and to the embedded server, and every answer and every event is
// compared. KEELSON_TEST_SEED replays a run, KEELSON_TEST_REQUESTS sets its length.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lease } from "../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { plain, RawClient, withoutIds } from "./support/raw-client.ts";
import { RandomRequests, seeded } from "./support/random-requests.ts";
import type { Request } from "./support/random-requests.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";
import { Watching } from "./support/watching.ts";

const SEED = Number(process.env["KEELSON_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const REQUESTS = Number(process.env["KEELSON_TEST_REQUESTS"] ?? 3000);
/** A fresh pair of watch streams for each stretch of requests. */
const STRETCH = 100;

const tools = await etcd35();

test(
  "random requests are answered as etcd answers them",
  { skip: "unavailable" in tools && tools.unavailable },
  async (t) => {
    if ("unavailable" in tools) return;
    t.diagnostic(`KEELSON_TEST_SEED=${SEED}`);
    await using real = await realEtcd(tools.etcd);
    await using ours = await embedded();
    using realClient = new RawClient(real.address);
    using ourClient = new RawClient(ours.address);
    const random = new RandomRequests(seeded(SEED));
    let revision = 1;
    for (let done = 0; done < REQUESTS; done += STRETCH) {
      const pair = [new Watching(realClient), new Watching(ourClient)] as const;
      await createWatches(random, { revision, pair });
      for (let place = done; place < done + STRETCH; place++) {
        const request = random.next(revision);
        const expected = await answer(realClient, request);
        const got = await answer(ourClient, request);
        assert.deepEqual(got, expected, `request ${place} of seed ${SEED}: ${show(request)}`);
        revision = revisionOf(expected) ?? revision;
      }
      await compareWatches(realClient, ourClient, pair, `after request ${done + STRETCH} of seed ${SEED}`);
    }
  },
);

async function answer(client: RawClient, request: Request): Promise<unknown> {
  switch (request.kind) {
    case "range":
      return plain(KV.method.range, await client.call(KV.method.range, request.request));
    case "put":
      return plain(KV.method.put, await client.call(KV.method.put, request.request));
    case "delete":
      return plain(KV.method.deleteRange, await client.call(KV.method.deleteRange, request.request));
    case "txn":
      return plain(KV.method.txn, await client.call(KV.method.txn, request.request));
    case "compact":
      return plain(KV.method.compact, await client.call(KV.method.compact, request.request));
    case "grant": {
      const answered = await client.call(Lease.method.leaseGrant, request.request);
      // Without an id the server chooses one, and nothing else ever names it.
      if ("ok" in answered && request.request.ID === 0n) answered.ok.ID = 0n;
      return plain(Lease.method.leaseGrant, answered);
    }
    case "revoke":
      return plain(Lease.method.leaseRevoke, await client.call(Lease.method.leaseRevoke, request.request));
    case "timeToLive": {
      const answered = await client.call(Lease.method.leaseTimeToLive, request.request);
      if ("ok" in answered) {
        answered.ok.keys.sort((a, b) => Buffer.compare(a, b));
        // The seconds that are left depend on when it was asked.
        if (answered.ok.TTL > 0n) answered.ok.TTL = 1n;
      }
      return plain(Lease.method.leaseTimeToLive, answered);
    }
    case "keepAlive":
      return new Promise((resolve) => {
        const stream = client.stream(Lease.method.leaseKeepAlive, {
          message: (message) => {
            stream.halfClose();
            resolve(withoutIds({ ID: String(message.ID), TTL: String(message.TTL) }));
          },
          end: (status) => resolve({ refused: { ...status } }),
        });
        stream.send(request.request);
      });
  }
}

async function createWatches(
  random: RandomRequests,
  { revision, pair }: { readonly revision: number; readonly pair: readonly [Watching, Watching] },
): Promise<void> {
  for (let count = 1; count <= 12; count++) {
    const filters = [[], [], [0], [1], [0, 1]] as const;
    const request = {
      key: random.key(),
      rangeEnd: random.end(),
      startRevision: random.pick([
        0n,
        0n,
        BigInt(revision),
        BigInt(Math.max(1, revision - random.int(40))),
        BigInt(revision + 3),
      ]),
      prevKv: random.int(2) === 0,
      filters: [...random.pick(filters)],
      watchId: random.pick([0n, 0n, 0n, 3n, 40n]),
      fragment: random.int(4) === 0,
    };
    for (const watching of pair) {
      watching.create(request);
      // One after the other, so that both choose ids from the same state.
      await watching.until(() => watching.controls() === count);
    }
  }
  // etcd looks for watchers that are behind ten times a second; until then a compaction may overtake them.
  await new Promise((resolve) => setTimeout(resolve, 250));
}

/** Puts a last key, waits until it was heard of, and compares everything that was. */
async function compareWatches(
  realClient: RawClient,
  ourClient: RawClient,
  pair: readonly [Watching, Watching],
  when: string,
): Promise<void> {
  const last = { key: Buffer.from("~last"), value: Buffer.from(when) };
  for (const [client, watching] of [
    [realClient, pair[0]],
    [ourClient, pair[1]],
  ] as const) {
    watching.create({ key: last.key, watchId: 99n });
    await watching.until(() => watching.heard.has("99"));
    await client.call(KV.method.put, last);
    await watching.until(() => (watching.heard.get("99")?.length ?? 0) > 1);
  }
  const [expected, got] = pair.map(({ heard }) => heard);
  assert.ok(expected && got);
  // Others than the last watch may still be under way to us.
  for (const [id, list] of expected) {
    await pair[1].until(() => (got.get(id)?.length ?? 0) >= list.length).catch(() => undefined);
    assert.deepEqual(got.get(id), list, `watch ${id} ${when}`);
  }
  assert.equal(got.size, expected.size, when);
  for (const watching of pair) watching.close();
}

function revisionOf(answered: unknown): number | undefined {
  const { header } = answered as { header?: { revision?: string } };
  return header?.revision === undefined ? undefined : Number(header.revision);
}

function show(request: Request): string {
  return JSON.stringify(request, (_name, value: unknown) => {
    if (typeof value === "bigint") return Number(value);
    const { type, data } = (value ?? {}) as { type?: string; data?: number[] };
    return type === "Buffer" && data !== undefined ? Buffer.from(data).toString("latin1") : value;
  });
}
