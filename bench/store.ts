// The embedded store beside Debian trixie's etcd 3.5: the same generator, the same disk, in turns.

import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";
import { load } from "./store/load.ts";
import { compareFanOut, compareLoad, row } from "./store/measure.ts";
import { get, grant, hundred, keepAlive, key, LEASE, put, spread, txn } from "./store/requests.ts";
import { Workshop, type Pair } from "./store/servers.ts";

const KEYS = 10_000;
const MANY_KEYS = 100_000;
const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const TXN = "/etcdserverpb.KV/Txn";
const GRANT = "/etcdserverpb.Lease/LeaseGrant";
const KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive";

interface Case {
  readonly what: string;
  readonly path: string;
  readonly messages: readonly Uint8Array[];
  readonly isStream?: boolean;
  /** Throughput to reach at 100 clients, as a multiple of the peer's. */
  readonly reach?: number;
}

const cases: readonly Case[] = [
  { what: "put", path: PUT, messages: spread(KEYS, put), reach: 1.5 },
  { what: "get", path: RANGE, messages: spread(KEYS, (number) => get(number)), reach: 1.5 },
  { what: "serializable get", path: RANGE, messages: spread(KEYS, (number) => get(number, true)) },
  { what: "range of 100", path: RANGE, messages: spread(KEYS - 100, hundred) },
  { what: "txn", path: TXN, messages: spread(KEYS, txn) },
  { what: "lease grant", path: GRANT, messages: [grant(0n)] },
  { what: "keepalive", path: KEEP_ALIVE, messages: [keepAlive()], isStream: true },
];

/** A part of the benchmark, left out when its name does not match the filter. */
interface Part {
  readonly name: string;
  run(): Promise<readonly BenchRow[]>;
}

export async function run({ only = /./ }: BenchOptions = {}): Promise<BenchResult> {
  await using workshop = await Workshop.open();
  const rows: BenchRow[] = [];
  for (const tls of [false, true]) {
    const suffix = tls ? ", TLS" : "";
    let shared: Pair | undefined;
    const pair = async (): Promise<Pair> => (shared ??= await filled(workshop, tls));
    const parts = [...memoryParts(workshop, tls), ...loadParts(pair, suffix), ...lastParts(pair, tls)];
    for (const part of parts) if (only.test(part.name)) rows.push(...(await part.run()));
    await shared?.[Symbol.asyncDispose]();
  }
  const how = `256-byte values, ${KEYS} keys, at most 10 connections, the median of 3 turns of 0.6 s; peer: etcd 3.5.16`;
  return { name: "store", how, rows };
}

async function filled(workshop: Workshop, tls: boolean): Promise<Pair> {
  const pair = await workshop.pair({ tls });
  for (const { address } of [pair.ours, pair.real]) {
    await fill(address, 0, KEYS);
    const lease = [grant(LEASE)];
    await load({ address, path: GRANT, messages: lease, clients: 1, calls: 1, milliseconds: 1000 });
  }
  return pair;
}

async function fill(address: Pair["ours"]["address"], from: number, to: number): Promise<void> {
  const messages = Array.from({ length: to - from }, (_, place) => put(from + place));
  await load({ address, path: PUT, messages, clients: 100, calls: messages.length, milliseconds: 120_000 });
}

/** Memory and start, of servers that did nothing else. */
function memoryParts(workshop: Workshop, tls: boolean): readonly Part[] {
  if (tls) return [];
  return [
    {
      name: "memory, idle",
      run: async () => {
        await using pair = await workshop.pair();
        return [memory("memory, idle", pair)];
      },
    },
    {
      name: "memory and start, 100000 keys",
      run: async () => {
        await using pair = await workshop.pair();
        for (const { address } of [pair.ours, pair.real]) await fill(address, 0, MANY_KEYS);
        const put = memory(`memory, ${MANY_KEYS} keys put once`, pair);
        const times = { ours: await pair.ours.restart(), real: await pair.real.restart() };
        const start = row(`start with ${MANY_KEYS} keys`, "s", (side) => times[side] / 1000);
        const after = memory(`memory, ${MANY_KEYS} keys after a start`, pair);
        return [put, { ...start, reach: "at most 2 s" }, after];
      },
    },
  ];
}

function loadParts(pair: () => Promise<Pair>, suffix: string): readonly Part[] {
  const loads = cases.flatMap(({ what, reach, ...load }) =>
    [1, 10, 100].map((clients): Part => {
      const name = `${what}, ${clients} ${clients === 1 ? "client" : "clients"}${suffix}`;
      const throughput = clients === 100 ? (reach ?? 1) : 1;
      const run = async (): Promise<readonly BenchRow[]> =>
        compareLoad(name, await pair(), { options: { ...load, clients }, reach: { throughput } });
      return { name, run };
    }),
  );
  const fans = [100, 1000].map((watchers): Part => {
    const name = `watch, one key to ${watchers}${suffix}`;
    const run = async (): Promise<readonly BenchRow[]> =>
      compareFanOut(name, await pair(), { key: key(1), put: put(1), watchers });
    return { name, run };
  });
  return [...loads, ...fans];
}

function lastParts(pair: () => Promise<Pair>, tls: boolean): readonly Part[] {
  if (tls) return [];
  const name = `memory, ${MANY_KEYS} keys after all loads`;
  return [
    {
      name,
      run: async () => {
        const both = await pair();
        for (const { address } of [both.ours, both.real]) await fill(address, KEYS, MANY_KEYS);
        return [memory(name, both)];
      },
    },
  ];
}

function memory(what: string, pair: Pair): BenchRow {
  return { ...row(what, "MiB", (side) => pair[side].memory()), reach: "ratio at most 2" };
}
