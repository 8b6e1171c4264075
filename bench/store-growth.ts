// How the embedded store and Debian trixie's etcd 3.5 grow from a thousand keys to a million.

import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";
import { load } from "./store/load.ts";
import { compareFanOut, compareLoad, row } from "./store/measure.ts";
import { get, hundred, key, put, putMany, spread } from "./store/requests.ts";
import { Workshop, type Pair, type Server } from "./store/servers.ts";

const SIZES = [1000, 10_000, 100_000, 1_000_000];
/** As many as fit in one frame. */
const KEYS_OF_A_FILL = 50;
const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const TXN = "/etcdserverpb.KV/Txn";
const CLIENTS = 10;
const REACH = { throughput: 1 };

export async function run({ only = /./ }: BenchOptions = {}): Promise<BenchResult> {
  await using workshop = await Workshop.open();
  const rows: BenchRow[] = [];
  const sizes = SIZES.filter((size) => only.test(`${size} keys`));
  for (const size of sizes) {
    await using pair = await workshop.pair();
    for (const server of [pair.ours, pair.real]) await fill(server, size);
    rows.push(...(await measure(pair, size)));
  }
  const how = `256-byte values, ${CLIENTS} clients, the median of 3 turns of 0.6 s; put in transactions of ${KEYS_OF_A_FILL}; peer: etcd 3.5.16`;
  return { name: "store-growth", how, rows };
}

async function fill({ address }: Server, size: number): Promise<void> {
  const calls = size / KEYS_OF_A_FILL;
  const messages = Array.from({ length: calls }, (_, place) =>
    putMany(place * KEYS_OF_A_FILL, KEYS_OF_A_FILL),
  );
  await load({ address, path: TXN, messages, clients: CLIENTS, calls, milliseconds: 300_000 });
}

async function measure(pair: Pair, size: number): Promise<readonly BenchRow[]> {
  const prefix = `${size} keys`;
  const memory = row(`${prefix}: memory`, "MiB", (side) => pair[side].memory());
  const times = { ours: await pair.ours.restart(), real: await pair.real.restart() };
  const start = row(`${prefix}: start`, "s", (side) => times[side] / 1000);
  const after = row(`${prefix}: memory after a start`, "MiB", (side) => pair[side].memory());
  const of = (path: string, messages: readonly Uint8Array[]) => ({
    options: { path, messages, clients: CLIENTS },
    reach: REACH,
  });
  const loads = [
    await compareLoad(`${prefix}: put`, pair, of(PUT, spread(size, put))),
    await compareLoad(
      `${prefix}: get`,
      pair,
      of(
        RANGE,
        spread(size, (number) => get(number)),
      ),
    ),
    await compareLoad(`${prefix}: range of 100`, pair, of(RANGE, spread(size - 100, hundred))),
    await compareFanOut(`${prefix}: watch, one key to 100`, pair, {
      key: key(1),
      put: put(1),
      watchers: 100,
    }),
  ];
  const largest = { ...memory, reach: "ratio at most 2" };
  return [
    largest,
    { ...start, ...(size === 100_000 ? { reach: "at most 2 s" } : {}) },
    after,
    ...loads.flat(),
  ];
}
