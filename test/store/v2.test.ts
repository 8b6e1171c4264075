// The same random calls of the keys API go to a real etcd 3.4 and to ours, over both of its stores, and every
// status, header and body is compared. KEELSON_TEST_SEED replays a run, KEELSON_TEST_REQUESTS sets its length.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { EtcdClient } from "../../packages/etcd/src/client/index.ts";
import { ClientKeysStore, KeysHandler } from "../../packages/etcd/src/rest/index.ts";
import { seeded } from "../../packages/etcd/test/seeded.ts";
import { embedded, PATIENCE_MS, realEtcd } from "./support/servers.ts";
import type { TestServer } from "./support/servers.ts";
import { Comparison } from "./support/v2-comparison.ts";
import type { Body } from "./support/v2-comparison.ts";
import { V2Client } from "./support/v2-client.ts";
import type { V2Call } from "./support/v2-client.ts";
import { callFor, V2Histories } from "./support/v2-histories.ts";
import type { RandomCall } from "./support/v2-histories.ts";

const SEED = Number(process.env["KEELSON_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const CALLS = Number(process.env["KEELSON_TEST_REQUESTS"] ?? 1500);
const WAITS = 100;
const LIVE = 60;
/** So long nobody is told anything, then nobody will be. */
const SILENCE_MS = 80;

const version = await promisify(execFile)("etcd", ["--version"]).then(
  ({ stdout }) => stdout,
  () => "",
);
const skip = /etcd Version: 3\.4/.test(version) ? false : "no etcd 3.4 here: it is the last that serves v2";

/** The keys API in front of a real etcd, through the client. */
async function inFront(): Promise<TestServer> {
  const etcd = await realEtcd("etcd");
  const client = new EtcdClient({ endpoints: [etcd.address], deadlineMs: PATIENCE_MS });
  const store = new ClientKeysStore(client);
  let ids = 1n;
  const handler = new KeysHandler(store, { wall: () => Date.now(), randomId: () => ids++ });
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    void handler.serve(request, response, path.slice("/v2/keys".length));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      handler[Symbol.dispose]();
      server.closeAllConnections();
      server.close();
      await client[Symbol.asyncDispose]();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

class Side implements Disposable {
  readonly client: V2Client;
  readonly base: number;
  readonly comparison: Comparison;

  constructor(client: V2Client, base: number) {
    this.client = client;
    this.base = base;
    this.comparison = new Comparison(base);
  }

  static async open(server: TestServer): Promise<Side> {
    const client = new V2Client(server.address);
    const { headers } = await client.call({ method: "GET", path: "/v2/keys" });
    return new Side(client, Number(headers["x-etcd-index"]));
  }

  async answer(call: RandomCall): Promise<unknown> {
    return this.comparison.answer(await this.client.call(callFor(call, this.base)));
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

const ours = { "over the embedded store": () => embedded(), "over a real etcd": inFront } as const;

for (const [name, start] of Object.entries(ours)) {
  describe(`the keys API ${name}`, { skip }, () => {
    test("answers random calls, and tells their history, as etcd 3.4 does", async (t) => {
      t.diagnostic(`KEELSON_TEST_SEED=${SEED}`);
      await using real = await realEtcd("etcd", ["--enable-v2"]);
      await using mine = await start();
      using theirs = await Side.open(real);
      using own = await Side.open(mine);
      const histories = new V2Histories(seeded(SEED));
      const first = await compareCalls({ theirs, own, histories }, CALLS);
      await compareWaits({ theirs, own, histories }, first);
      await compareLive({ theirs, own, histories }, first);
    });
  });
}

interface Pair {
  readonly theirs: Side;
  readonly own: Side;
  readonly histories: V2Histories;
}

/** Resolves with the last index. */
async function compareCalls({ theirs, own, histories }: Pair, calls: number): Promise<number> {
  let index = 0;
  for (let place = 0; place < calls; place++) {
    const call = histories.next(index);
    if (await changesTimeOfDirectory(theirs, call)) continue;
    const expected = await theirs.answer(call);
    const got = await own.answer(call);
    assert.deepEqual(got, expected, `call ${place} of seed ${SEED}: ${JSON.stringify(callFor(call, 0))}`);
    index = Math.max(index, Number((expected as { readonly index?: unknown }).index ?? 0));
  }
  return index;
}

/**
 * Nodes in a directory hang on its lease: when it gets another, they are written anew, and their modifiedIndex is
 * not etcd's any more. That is documented, and not compared here.
 */
async function changesTimeOfDirectory(theirs: Side, call: RandomCall): Promise<boolean> {
  if (call.method !== "PUT" || call.fields["prevExist"] !== "true") return false;
  const { body } = await theirs.client.call({ method: "GET", path: `/v2/keys${call.path}` });
  return (JSON.parse(body) as Body).node?.dir === true;
}

async function compareWaits({ theirs, own, histories }: Pair, last: number): Promise<void> {
  for (let place = 0; place < WAITS; place++) {
    const path = histories.path();
    const recursive = histories.chance(0.5);
    // etcd keeps the last thousand events.
    const index = last - histories.int(Math.min(last, 900));
    const call = (base: number): V2Call => ({
      method: "GET",
      path: `/v2/keys${path}?wait=true&recursive=${recursive}&waitIndex=${index + base}`,
    });
    const pair = [
      await Waiting.open(theirs, call(theirs.base)),
      await Waiting.open(own, call(own.base)),
    ] as const;
    const [expected, got] = await told(pair);
    assert.deepEqual(got, expected, `wait ${place} of seed ${SEED}: ${JSON.stringify(call(0))}`);
  }
}

/** Requests that wait while one call is made: all are told the same, or nothing. */
async function compareLive({ theirs, own, histories }: Pair, last: number): Promise<void> {
  let heard = 0;
  for (let place = 0; place < LIVE; place++) {
    const change = histories.next(last);
    if (change.method === "GET") continue;
    if (await changesTimeOfDirectory(theirs, change)) continue;
    // At the place of the change, above it or below it; seldom elsewhere.
    const parts = change.path.split("/");
    const paths = [
      change.path,
      parts.slice(0, -1).join("/"),
      `${change.path}/a`,
      histories.path(),
      `/${parts[1] ?? ""}`,
    ];
    const calls = paths.flatMap((path) =>
      [true, false].map((recursive): V2Call => {
        return { method: "GET", path: `/v2/keys${path}?wait=true&recursive=${recursive}` };
      }),
    );
    const waits = [];
    for (const side of [theirs, own])
      waits.push(await Promise.all(calls.map((call) => Waiting.open(side, call))));
    const expected = await theirs.answer(change);
    assert.deepEqual(await own.answer(change), expected);
    const [theirWaits = [], ownWaits = []] = waits;
    const pairs = theirWaits.map((one, which) => told([one, ownWaits[which] as Waiting]));
    for (const [which, [wanted, got]] of (await Promise.all(pairs)).entries()) {
      const what = `${JSON.stringify(callFor(change, 0))} ${calls[which]?.path}`;
      assert.deepEqual(got, wanted, `live ${place} of seed ${SEED}: ${what}`);
      if (wanted !== undefined) heard++;
    }
  }
  assert.ok(heard > 0, "nobody was told anything");
}

/** What two are told, undefined for nothing: whoever is slow is waited for once the other knows. */
async function told(pair: readonly [Waiting, Waiting]): Promise<readonly [unknown, unknown]> {
  const silence = setTimeout(() => {
    for (const waiting of pair) waiting.stop();
  }, SILENCE_MS);
  const first = await Promise.race(pair.map((waiting) => waiting.told));
  clearTimeout(silence);
  if (first === undefined) return [undefined, undefined];
  const deadline = setTimeout(() => {
    for (const waiting of pair) waiting.stop();
  }, PATIENCE_MS);
  const both = [await pair[0].told, await pair[1].told] as const;
  clearTimeout(deadline);
  return both;
}

class Waiting {
  /** Undefined for nothing. */
  readonly told: Promise<unknown>;
  readonly #stop: AbortController;

  private constructor(stop: AbortController, told: Promise<unknown>) {
    this.#stop = stop;
    this.told = told;
  }

  /** Resolves when it waits. */
  static async open(side: Side, call: V2Call): Promise<Waiting> {
    const stop = new AbortController();
    const response = await side.client.open(call, stop.signal);
    const read = async (): Promise<unknown> => {
      let body = "";
      for await (const chunk of response) body += String(chunk);
      return { status: response.statusCode, body: side.comparison.body(body) };
    };
    return new Waiting(
      stop,
      read().catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      }),
    );
  }

  stop(): void {
    this.#stop.abort();
  }
}
