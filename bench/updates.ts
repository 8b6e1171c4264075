// What an update check costs the update server: real HTTP over loopback from a process of its own, every check on the
// disk before it is answered, the processor's time from /proc. Beside it nginx with a fixed text, which is as little
// as HTTP can cost, and what anyone would write with hono and SQLite.
import { answerTo, printResponse, readRequest } from "@keelson/omaha";
import type { OmahaApp } from "@keelson/omaha";
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { EntryLog } from "../packages/keelson/src/update-server/log/entry-log.ts";
import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";
import { median } from "./statistics.ts";
import { LedgerDecider } from "../packages/keelson/src/update-server/ledger-decider.ts";
import { checkOf, numbered } from "./updates/check.ts";
import { configurationFor } from "./updates/configuration.ts";
import { memoryOf, nginx, program, run as load } from "./updates/servers.ts";
import type { Measured, Run } from "./updates/servers.ts";

const REQUESTS = 20_000;
const ROUNDS = 3;
/** A store that syncs for each check is slow; its cost for one does not depend on how many there are. */
const PLAIN_REQUESTS = 3000;
/** 100,000 machines in five minutes. */
const STORM_PER_SECOND = 334;
const STORM_SECONDS = 15;

const middle = (runs: readonly Run[], of: (run: Run) => number): number => median(runs.map(of));

async function warm(
  server: Measured,
  { requests, rounds, machines }: { requests: number; rounds: number; machines?: number },
): Promise<readonly Run[]> {
  const among = machines === undefined ? {} : { machines };
  await load(server, { requests: Math.min(requests, 5000), ...among });
  const runs: Run[] = [];
  for (let round = 0; round < rounds; round++) runs.push(await load(server, { requests, ...among }));
  for (const { refused } of runs) if (refused > 0) throw new Error(`${refused} checks were turned away`);
  return runs;
}

/** Machines that are known, and whether they wait for one of ten slots. */
const fleets = [
  { known: 20_000, policy: "current" },
  { known: 100_000, policy: "current" },
  { known: 1_000_000, policy: "current" },
  { known: 100_000, policy: "waiting" },
] as const;

/** Seconds from the files of a fleet of 100,000 to the server that knows it, and those of the processor. */
async function restart(): Promise<{ readonly seconds: number; readonly cpuSeconds: number }> {
  const path = await mkdtemp(join(tmpdir(), "keelson-bench-"));
  try {
    const machines = 100_000;
    const request = readRequest(checkOf(0));
    const [app] = request.apps as [OmahaApp];
    const options = { configuration: configurationFor(app, 10), payloads: "http://127.0.0.1/v1/payloads" };
    const before = new LedgerDecider(options);
    {
      await using log = await EntryLog.open({ path, folds: [before] });
      const all = async (nowMs: number): Promise<void> => {
        for (let machine = 0; machine < machines; machine++) {
          const asked = { app: numbered(app, machine), request, client: { address: "127.0.0.1" } };
          const written = log.append(1, before.decide(asked, nowMs).entries);
          if (machine % 1000 === 999) await written;
        }
      };
      await all(Date.now());
      await log.snapshot();
      // As many entries again behind the snapshot.
      await all(Date.now() + 60_000);
    }
    const after = new LedgerDecider(options);
    const [began, usage] = [performance.now(), process.cpuUsage()];
    await using _log = await EntryLog.open({ path, folds: [after] });
    const { user, system } = process.cpuUsage(usage);
    const [seconds, cpuSeconds] = [(performance.now() - began) / 1000, (user + system) / 1_000_000];
    const [known, knew] = [after, before].map(({ ledger }) => [...ledger.snapshot()].join("\n"));
    if (known !== knew) throw new Error("another fleet came back");
    return { seconds, cpuSeconds };
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function sizes(rounds: number): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  let least: { readonly cpu: number; readonly bytes: number } | undefined;
  for (const { known, policy } of fleets) {
    await using server = await program("keelson-main.ts", "log", String(known), policy);
    const bytes = memoryOf(server.pid);
    const runs = await warm(server, { requests: REQUESTS, rounds, machines: Math.min(known, REQUESTS) });
    const cpu = middle(runs, (run) => run.cpu);
    least ??= { cpu, bytes };
    const each = (bytes - least.bytes) / (known - fleets[0].known);
    rows.push({
      what: `a check, ${known.toLocaleString("en")} machines known${policy === "waiting" ? ", all waiting for ten slots" : ""}`,
      value: cpu,
      unit: "µs",
      reach: "the same",
      ...(known > fleets[0].known ? { ratio: cpu / least.cpu } : {}),
      note: `p99 ${middle(runs, (run) => run.p99).toFixed(0)} ms${known > fleets[0].known ? `, ${each.toFixed(0)} bytes of memory a machine` : ""}`,
    });
  }
  return rows;
}

export async function run({ only = /./, rounds = ROUNDS }: BenchOptions = {}): Promise<BenchResult> {
  const rows: BenchRow[] = [];
  const wants = (what: string): boolean => only.test(what);
  const [check, storm, start] = [
    "processor time of a check that is on the disk before it is answered",
    `100,000 machines in 5 minutes (${STORM_PER_SECOND} a second for ${STORM_SECONDS} s)`,
    "start with 100,000 machines and as many entries behind the snapshot",
  ] as const;
  const text = printResponse({
    protocol: "3.0",
    server: "keelson",
    apps: readRequest(checkOf(0)).apps.map((app) => answerTo(app)),
  });
  if (wants(check) || wants(storm)) {
    await using server = await program("keelson-main.ts", "log", String(REQUESTS));
    const runs = await warm(server, { requests: REQUESTS, rounds });
    if (wants(check)) {
      const cpu = middle(runs, (run) => run.cpu);
      await using plain = await program("plain-main.ts", "checks.sqlite");
      const plainRuns = await warm(plain, { requests: PLAIN_REQUESTS, rounds });
      const plainCpu = middle(plainRuns, (run) => run.cpu);
      await using limit = await nginx(text);
      const limitCpu = limit && middle(await warm(limit, { requests: REQUESTS, rounds }), (run) => run.cpu);
      rows.push(
        {
          what: check,
          value: cpu,
          unit: "µs",
          reach: "at most 100 µs",
          peer: plainCpu,
          peerName: "hono and SQLite",
          ratio: cpu / plainCpu,
        },
        {
          what: "the same beside a fixed text",
          value: cpu,
          unit: "µs",
          ...(limitCpu === undefined
            ? { note: "nginx is not here" }
            : { peer: limitCpu, peerName: "nginx, the limit", ratio: cpu / limitCpu }),
        },
        {
          what: "durable checks a second, of one core",
          value: 1_000_000 / cpu,
          unit: "checks",
          reach: "at least 10,000",
          peer: 1_000_000 / plainCpu,
          peerName: "hono and SQLite",
        },
        {
          what: "checks a second as it came, 64 connections",
          value: middle(runs, (run) => run.answered / run.seconds),
          unit: "checks",
          peer: middle(plainRuns, (run) => run.answered / run.seconds),
          peerName: "hono and SQLite",
          note: `p50 ${middle(runs, (run) => run.p50).toFixed(1)} ms, p99 ${middle(runs, (run) => run.p99).toFixed(1)} ms; SQLite ${middle(plainRuns, (run) => run.p50).toFixed(1)} and ${middle(plainRuns, (run) => run.p99).toFixed(1)} ms`,
        },
      );
    }
    if (wants(storm)) {
      const { cpu, p50, p99 } = await load(server, {
        requests: STORM_PER_SECOND * STORM_SECONDS,
        connections: 200,
        perSecond: STORM_PER_SECOND,
      });
      rows.push({
        what: storm,
        value: (cpu * STORM_PER_SECOND) / 10_000,
        unit: "% of a core",
        reach: "under 5 %",
        note: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
      });
    }
  }
  if (wants("machines known")) rows.push(...(await sizes(rounds)));
  if (wants(start)) {
    const { seconds, cpuSeconds } = await restart();
    rows.push({
      what: start,
      value: seconds,
      unit: "s",
      reach: "at most 3 s",
      note: `${cpuSeconds.toFixed(2)} s of processor time`,
    });
  }
  const how = `the recorded check of update_engine 0.4.10 from ${REQUESTS} machines over 64 connections (${PLAIN_REQUESTS} to SQLite), median of ${rounds} rounds, load of the machine ${loadavg()
    .map((load) => load.toFixed(0))
    .join(" ")}`;
  return { name: "updates", how, rows };
}
