// The embedded store beside Debian trixie's etcd 3.5: the same generator, the same disk, in turns.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  PutRequestSchema,
  RangeRequestSchema,
} from "../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { etcd35, freePort, untilServing } from "../test/store/support/servers.ts";
import type { BenchResult, BenchRow } from "./result.ts";
import { load } from "./store/load.ts";
import type { LoadResult } from "./store/load.ts";

const KEYS = 10_000;
const MANY_KEYS = 100_000;
const VALUE = Buffer.alloc(256, "v");
/** Each row is measured in turns of a second, so that other work on the machine weighs on both alike. */
const TURNS = 3;
const TURN_MS = 1000;
const CLOCK_TICKS = 100;
const EMBEDDED = join(import.meta.dirname, "../test/store/support/server-main.ts");

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
}

interface Case {
  readonly what: string;
  readonly path: string;
  readonly clients: number;
  readonly request: (call: number) => Uint8Array;
  readonly reach?: number;
}

const key = (number: number): Uint8Array => Buffer.from(`key/${String(number).padStart(8, "0")}`);
const anyKey = (call: number): number => (call * 7919) % KEYS;
const put = (number: number): Uint8Array =>
  toBinary(PutRequestSchema, create(PutRequestSchema, { key: key(number), value: VALUE }));
const get = (number: number, serializable = false): Uint8Array =>
  toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: key(number), serializable }));
const hundred = (from: number): Uint8Array =>
  toBinary(RangeRequestSchema, create(RangeRequestSchema, { key: key(from), rangeEnd: key(from + 100) }));

const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const cases: readonly Case[] = [
  { what: "put", path: PUT, clients: 1, request: (call) => put(anyKey(call)), reach: 1 },
  { what: "put", path: PUT, clients: 100, request: (call) => put(anyKey(call)), reach: 1.5 },
  { what: "get", path: RANGE, clients: 1, request: (call) => get(anyKey(call)), reach: 1 },
  { what: "get", path: RANGE, clients: 100, request: (call) => get(anyKey(call)), reach: 1.5 },
  {
    what: "serializable get",
    path: RANGE,
    clients: 100,
    request: (call) => get(anyKey(call), true),
    reach: 1,
  },
  {
    what: "range of 100",
    path: RANGE,
    clients: 1,
    request: (call) => hundred(anyKey(call) % 9900),
    reach: 1,
  },
  {
    what: "range of 100",
    path: RANGE,
    clients: 10,
    request: (call) => hundred(anyKey(call) % 9900),
    reach: 1,
  },
  {
    what: "range of 100",
    path: RANGE,
    clients: 100,
    request: (call) => hundred(anyKey(call) % 9900),
    reach: 1,
  },
];

export async function run(): Promise<BenchResult> {
  const tools = await etcd35();
  if ("unavailable" in tools) throw new Error(tools.unavailable);
  await using ours = await start(process.execPath, (dir, port) => [EMBEDDED, dir, String(port)]);
  await using real = await start(tools.etcd, etcdArguments);
  const rows: BenchRow[] = [memory("memory, idle", ours, real)];
  for (const server of [ours, real]) await fill(server, 0, KEYS);
  rows.push(memory(`memory, ${KEYS} keys`, ours, real));
  for (const item of cases) rows.push(...(await compare(item, ours, real)));
  for (const server of [ours, real]) await fill(server, KEYS, MANY_KEYS);
  rows.push(memory(`memory, ${MANY_KEYS} keys and all that was put before`, ours, real));
  const how = `256-byte values, ${KEYS} keys, at most 10 connections, the median of ${TURNS} turns of ${TURN_MS / 1000} s; peer: etcd 3.5.16`;
  return { name: "store", how, rows };
}

function etcdArguments(dir: string, port: number, peerPort: number): string[] {
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  return [
    `--data-dir=${dir}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--log-level=fatal",
  ];
}

async function start(
  program: string,
  argv: (dir: string, port: number, peerPort: number) => string[],
): Promise<Server> {
  const dir = await mkdtemp(join(tmpdir(), "keelson-bench-"));
  const port = await freePort();
  const child: ChildProcess = spawn(program, argv(dir, port, await freePort()), { stdio: "ignore" });
  const exited = once(child, "exit");
  await untilServing(`127.0.0.1:${port}`);
  return {
    port,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function fill(server: Server, from: number, to: number): Promise<void> {
  let next = from;
  const address = { host: "127.0.0.1", port: server.port };
  while (next < to) {
    // A call past the last key writes that one again.
    const request = (): Uint8Array => put(Math.min(next++, to - 1));
    await load({ address, path: PUT, clients: 100, milliseconds: 500, request });
  }
}

async function compare(item: Case, ours: Server, real: Server): Promise<BenchRow[]> {
  for (const server of [ours, real]) await turn(item, server, TURN_MS / 4);
  const turns: { readonly mine: Turn; readonly theirs: Turn }[] = [];
  for (let count = 0; count < TURNS; count++) {
    turns.push({ mine: await turn(item, ours, TURN_MS), theirs: await turn(item, real, TURN_MS) });
  }
  const what = `${item.what}, ${item.clients} ${item.clients === 1 ? "client" : "clients"}`;
  const row = (name: string, unit: string, of: (turn: Turn) => number): BenchRow => {
    const value = median(turns.map(({ mine }) => of(mine)));
    const peer = median(turns.map(({ theirs }) => of(theirs)));
    return { what: name, value, unit, peer, ratio: value / peer };
  };
  return [
    { ...row(what, "/s", ({ perSecond }) => perSecond), reach: `ratio at least ${item.reach ?? 1}` },
    row(`${what}: p50`, "ms", ({ p50 }) => p50),
    { ...row(`${what}: p99`, "ms", ({ p99 }) => p99), reach: "ratio at most 1" },
    { ...row(`${what}: server CPU`, "µs", ({ cpu }) => cpu), reach: "ratio at most 1" },
  ];
}

/** A load's result with the server's processor time for a call, in microseconds. */
type Turn = LoadResult & { readonly cpu: number };

async function turn(item: Case, server: Server, milliseconds: number): Promise<Turn> {
  const address = { host: "127.0.0.1", port: server.port };
  const { path, clients, request } = item;
  const before = cpuSeconds(server);
  const result = await load({ address, path, clients, request, milliseconds });
  return { ...result, cpu: ((cpuSeconds(server) - before) / result.calls) * 1e6 };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** User and system time of a process so far. */
function cpuSeconds({ pid }: Server): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

function memory(what: string, ours: Server, real: Server): BenchRow {
  const resident = ({ pid }: Server): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  const [value, peer] = [resident(ours), resident(real)];
  return { what, value, unit: "MiB", peer, ratio: value / peer, reach: "ratio at most 2" };
}
