// What a cluster costs that does nothing: traffic to the store with few and with many units, keeld's memory
// and processor time. And what is left in the store after everything was destroyed.
import { readFileSync } from "node:fs";
import { EtcdClient } from "@keelson/etcd/client";
import { Cluster, processes, sleep } from "../test/support/cluster.ts";
import { benchUnit, kindOfUnits } from "./bench-unit.ts";
import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";

const seconds = 60;
const many = 200;

export async function run(options: BenchOptions = {}): Promise<BenchResult> {
  const cluster = new Cluster(`bench-idle-${process.pid}`);
  try {
    await cluster.keel(["up", "--no-example"]);
    await sleep(10_000);
    const few = await measure(cluster);
    await cluster.start(
      Object.fromEntries(Array.from({ length: many }, (_, i) => [`idle-${i}.service`, benchUnit(options)])),
    );
    await cluster.until(
      "all active",
      ({ instances }) => instances.filter((instance) => instance.active === "active").length === many,
      120_000,
    );
    await sleep(20_000);
    const full = await measure(cluster);
    await cluster.operate({ kind: "destroy", units: { all: true } });
    await cluster.until(
      "all gone",
      ({ instances, units }) => instances.length === 0 && units.length === 0,
      60_000,
    );
    await cluster.operate({ kind: "purge" });
    await sleep(2000);
    const left = await keysLeft(cluster);
    const rows: BenchRow[] = [
      { what: "traffic of one machine, no units", value: few.bytesPerSecond, unit: "B/s" },
      {
        what: `traffic of one machine, ${many} units`,
        value: full.bytesPerSecond,
        unit: "B/s",
        reach: "does not grow",
        peer: 530 * (many / 3),
        peerName: "fleet, 0.53 KB/s a unit",
        ratio: full.bytesPerSecond / (530 * (many / 3)),
      },
      {
        what: "growth by the units",
        value: full.bytesPerSecond / few.bytesPerSecond,
        unit: "times",
        reach: "1",
      },
      {
        what: "revisions of the store while idle",
        value: full.revisions,
        unit: `in ${seconds} s`,
        reach: "0",
      },
      {
        what: `keeld, ${many} units: PSS of the largest`,
        value: full.pssMb,
        unit: "MB",
        reach: "at most 80 MB",
        peer: 108,
        peerName: "dockerd and containerd, least",
        ratio: full.pssMb / 108,
      },
      {
        what: `keeld, ${many} units: CPU of the busiest`,
        value: full.cpuPercent,
        unit: "% of a core",
        reach: "under 1 %",
      },
      {
        what: "keys left after destroying everything and `op purge`",
        value: left.length,
        unit: "keys",
        reach: "0",
        note: left.slice(0, 3).join(" "),
      },
    ];
    return { name: "idle", how: `3 machines, ${seconds} s of doing nothing; ${kindOfUnits(options)}`, rows };
  } finally {
    await cluster.down();
  }
}

interface Cost {
  readonly bytesPerSecond: number;
  readonly revisions: number;
  readonly pssMb: number;
  readonly cpuPercent: number;
}

async function measure(cluster: Cluster): Promise<Cost> {
  const daemons = processes(cluster.name, /keeld\.js/).filter(({ machine }) => !machine.startsWith("host."));
  const ticks = (pid: number): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  const bytes = (pid: number): number => {
    const line =
      readFileSync(`/proc/${pid}/net/dev`, "utf8")
        .split("\n")
        .find((text) => /^\s*host0:/.test(text)) ?? "";
    const fields = line.split(":")[1]?.trim().split(/\s+/) ?? [];
    return Number(fields[0]) + Number(fields[8]);
  };
  const before = daemons.map(({ pid }) => ({ pid, ticks: ticks(pid), bytes: bytes(pid) }));
  const revision = (await cluster.snapshot()).revision;
  await sleep(seconds * 1000);
  const costs = before.map(({ pid, ...was }) => ({
    bytes: bytes(pid) - was.bytes,
    cpu: ticks(pid) - was.ticks,
    pss: Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]) / 1024,
  }));
  return {
    bytesPerSecond: costs.reduce((sum, cost) => sum + cost.bytes, 0) / costs.length / seconds,
    revisions: (await cluster.snapshot()).revision - revision,
    pssMb: Math.max(...costs.map((cost) => cost.pss)),
    // A tick is 10 ms on Linux (USER_HZ = 100).
    cpuPercent: Math.max(...costs.map((cost) => cost.cpu)) / seconds,
  };
}

async function keysLeft(cluster: Cluster): Promise<string[]> {
  const address = (await cluster.snapshot()).machines[0]?.address ?? "";
  await using client = new EtcdClient({ endpoints: [`http://${address.replace(/\.\d+$/, ".1")}:2379`] });
  const { kvs } = await client.range({ prefix: "/keelson/" });
  return kvs.map(({ key }) => key).filter((key) => /^\/keelson\/(units|bodies|schedule|status)\//.test(key));
}
