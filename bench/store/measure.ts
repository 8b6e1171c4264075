// Loads in turns on both servers, so that other work on the machine weighs on both alike.

import type { BenchRow } from "../result.ts";
import { median, percentile } from "../statistics.ts";
import { fanOut, type FanOut } from "./fan-out.ts";
import { load, type Load } from "./load.ts";
import type { Pair, Server } from "./servers.ts";

const TURNS = 3;
const TURN_MS = 600;
const WARM_UP_MS = 150;

/** What one turn gave. */
interface Turn {
  readonly operations: number;
  readonly perSecond: number;
  readonly latencies: readonly number[];
  readonly generator: number;
  /** The server's processor time for an operation, in microseconds. */
  readonly cpu: number;
}

type TurnOf = (server: Server, milliseconds: number) => Promise<Omit<Turn, "cpu">>;

export interface Reach {
  readonly throughput: number;
}

/** Four rows: throughput, the middle and the 99th percentile of the latency, processor time. */
export async function compareLoad(
  what: string,
  pair: Pair,
  { options, reach }: { readonly options: Omit<Load, "address" | "milliseconds">; readonly reach: Reach },
): Promise<readonly BenchRow[]> {
  const turns = await inTurns(pair, async ({ address }, milliseconds) => {
    const result = await load({ ...options, address, milliseconds });
    return { ...result, operations: result.calls };
  });
  const speed = row(what, "/s", (side) => median(turns[side].map(({ perSecond }) => perSecond)));
  const latency = (name: string, share: number): BenchRow =>
    row(`${what}: ${name}`, "ms", (side) =>
      median(turns[side].map(({ latencies }) => percentile(latencies, share))),
    );
  return [
    { ...speed, reach: `ratio at least ${reach.throughput}`, note: busy(turns) },
    latency("p50", 0.5),
    { ...latency("p99", 0.99), reach: "ratio at most 1" },
    cpuRow(`${what}: server CPU`, turns),
  ];
}

/** Events a second while puts go on, and the delay of the last watcher when each put waits for all of them. */
export async function compareFanOut(
  what: string,
  pair: Pair,
  options: Omit<FanOut, "address" | "milliseconds" | "isInStep">,
): Promise<readonly BenchRow[]> {
  const turn =
    (isInStep: boolean): TurnOf =>
    async ({ address }, milliseconds) => {
      const result = await fanOut({ ...options, address, milliseconds, isInStep });
      return { ...result, operations: result.events, latencies: result.delays };
    };
  const free = await inTurns(pair, turn(false));
  const inStep = await inTurns(pair, turn(true));
  const speed = row(what, "events/s", (side) => median(free[side].map(({ perSecond }) => perSecond)));
  const latency = (name: string, share: number): BenchRow =>
    row(`${what}: last watcher told, ${name}`, "ms", (side) =>
      median(inStep[side].map(({ latencies }) => percentile(latencies, share))),
    );
  return [
    { ...speed, reach: "ratio at least 1", note: busy(free) },
    latency("p50", 0.5),
    { ...latency("p99", 0.99), reach: "ratio at most 1" },
    cpuRow(`${what}: server CPU of an event`, free),
  ];
}

/** One figure of both servers. */
export function row(what: string, unit: string, of: (side: "ours" | "real") => number): BenchRow {
  const [value, peer] = [of("ours"), of("real")];
  return { what, value, unit, peer, ratio: value / peer };
}

type Turns = Readonly<Record<"ours" | "real", readonly Turn[]>>;

async function inTurns({ ours, real }: Pair, turnOf: TurnOf): Promise<Turns> {
  const turns = { ours: [] as Turn[], real: [] as Turn[] };
  for (const server of [ours, real]) await turnOf(server, WARM_UP_MS);
  for (let count = 0; count < TURNS; count++) {
    turns.ours.push(await measured(ours, turnOf));
    turns.real.push(await measured(real, turnOf));
  }
  return turns;
}

async function measured(server: Server, turnOf: TurnOf): Promise<Turn> {
  const before = server.cpu();
  const result = await turnOf(server, TURN_MS);
  return { ...result, cpu: ((server.cpu() - before) / result.operations) * 1e6 };
}

function cpuRow(what: string, turns: Turns): BenchRow {
  // The clock is coarse: one figure over all turns.
  const mean = (side: readonly Turn[]): number => {
    const operations = side.reduce((sum, turn) => sum + turn.operations, 0);
    return side.reduce((sum, turn) => sum + turn.cpu * turn.operations, 0) / operations;
  };
  return { ...row(what, "µs", (side) => mean(turns[side])), reach: "ratio at most 1" };
}

function busy(turns: Turns): string {
  const percent = (side: readonly Turn[]): string =>
    `${Math.round(median(side.map(({ generator }) => generator)) * 100)} %`;
  return `generator busy ${percent(turns.ours)}, ${percent(turns.real)}`;
}
