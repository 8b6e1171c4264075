// How fast units start and go: one at a time, and two hundred at once, on three machines.
import { Cluster, runningProbes, sleep } from "../test/support/cluster.ts";
import { benchUnit, kindOfUnits } from "./bench-unit.ts";
import type { BenchOptions, BenchResult } from "./result.ts";
import { median, percentile } from "./statistics.ts";

const many = 200;

export async function run(options: BenchOptions = {}): Promise<BenchResult> {
  const cluster = new Cluster(`bench-units-${process.pid}`);
  try {
    await cluster.keel(["up", "--no-example"]);
    const single: number[] = [];
    for (let i = 0; i < 21; i++) {
      const name = `one-${i}.service`;
      const started = performance.now();
      await cluster.start({ [name]: benchUnit(options) });
      await cluster.until(
        `${name} active`,
        ({ instances }) =>
          instances.some((instance) => instance.name === name && instance.active === "active"),
        20_000,
        5,
      );
      // The first start warms everything up and is not counted.
      if (i > 0) single.push((performance.now() - started) / 1000);
      await cluster.destroy([name]);
      await cluster.until(`${name} gone`, ({ instances }) => instances.length === 0, 20_000, 5);
    }

    const starts: number[] = [];
    const ends: number[] = [];
    for (let round = 0; round < 3; round++) {
      const files = Object.fromEntries(
        Array.from({ length: many }, (_, i) => [`many-${i}.service`, benchUnit(options)]),
      );
      let started = performance.now();
      await cluster.start(files);
      await cluster.until(
        "all active",
        ({ instances }) => instances.filter((instance) => instance.active === "active").length === many,
        120_000,
        20,
      );
      starts.push((performance.now() - started) / 1000);
      if (runningProbes(cluster.name).length !== many) throw new Error("reported active, but not all run");
      started = performance.now();
      await cluster.destroy(Object.keys(files));
      await cluster.until("all gone", ({ instances }) => instances.length === 0, 120_000, 20);
      while (runningProbes(cluster.name).length > 0) await sleep(20);
      ends.push((performance.now() - started) / 1000);
    }
    return {
      name: "units",
      how: `20 single starts by the API to active as the API shows it; ${many} on 3 machines, 3 rounds; ${kindOfUnits(options)}`,
      rows: [
        {
          what: "one unit, start to active, median",
          value: median(single),
          unit: "s",
          reach: "0.5 s",
          peer: 3.7,
          peerName: "fleet",
          ratio: median(single) / 3.7,
        },
        { what: "one unit, start to active, 95th percentile", value: percentile(single, 0.95), unit: "s" },
        {
          what: `${many} units, start to all active, median`,
          value: median(starts),
          unit: "s",
          reach: "6 s",
          peer: 5.8,
          peerName: "fleet, best of 5.8 to 10.5",
          ratio: median(starts) / 5.8,
          note: starts.map((s) => s.toFixed(1)).join(", "),
        },
        {
          what: `${many} units, destroy to all gone, median`,
          value: median(ends),
          unit: "s",
          reach: "3 s",
          peer: 220,
          peerName: "fleet, 55 s for 50",
          ratio: median(ends) / 220,
          note: ends.map((s) => s.toFixed(1)).join(", "),
        },
      ],
    };
  } finally {
    await cluster.down();
  }
}
