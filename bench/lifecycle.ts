// From nothing to a living cluster and back: `keel up` with everything cached, and what `keel down` leaves,
// also after everything was killed.
import { spawnSync } from "node:child_process";
import { LocalCluster } from "../packages/keelson/src/local/cluster.ts";
import { Cluster, processes } from "../test/support/cluster.ts";
import { tracesOf } from "../test/support/machines.ts";
import type { BenchResult, BenchRow } from "./result.ts";
import { median } from "./statistics.ts";

const runs = 3;

export async function run(): Promise<BenchResult> {
  const name = `bench-life-${process.pid}`;
  const ups: number[] = [];
  const downs: number[] = [];
  for (let i = 0; i < runs; i++) {
    const cluster = new Cluster(name);
    const up = await cluster.keel(["up"]);
    ups.push(up.ms / 1000);
    const snapshot = await cluster.snapshot();
    const healthy = snapshot.instances.filter((instance) => instance.state === "healthy").length;
    if (snapshot.machines.length !== 3 || healthy !== 3)
      throw new Error(`${snapshot.machines.length} machines, ${healthy} healthy instances`);
    downs.push((await cluster.down()).ms / 1000);
  }
  const clean = await left(name);

  const cluster = new Cluster(name);
  await cluster.keel(["up"]);
  for (const { pid } of processes(cluster.name, /./)) spawnSync("kill", ["-9", String(pid)]);
  const down = await cluster.down();
  const afterKill = await left(name);

  const rows: BenchRow[] = [
    {
      what: "`keel up`, everything cached, 3 machines and the example healthy (median)",
      value: median(ups),
      unit: "s",
      reach: "at most 10 s",
      note: ups.map((s) => s.toFixed(1)).join(", "),
    },
    { what: "`keel down` (median)", value: median(downs), unit: "s" },
    {
      what: "left behind after `down`",
      value: clean.length,
      unit: "things",
      reach: "0",
      note: clean.slice(0, 5).join("; "),
    },
    { what: "`keel down` after kill -9 of every process", value: down.ms / 1000, unit: "s" },
    {
      what: "left behind after that",
      value: afterKill.length,
      unit: "things",
      reach: "0",
      note: afterKill.slice(0, 5).join("; "),
    },
  ];
  return { name: "lifecycle", how: `${runs} times up and down, then once with everything killed`, rows };
}

/** What is left of the cluster on the host, in words. */
async function left(name: string): Promise<string[]> {
  const traces = await tracesOf(new LocalCluster(name));
  return Object.entries(traces).flatMap(([kind, things]: [string, readonly string[]]) =>
    things.map((thing) => `${kind}: ${thing}`),
  );
}
