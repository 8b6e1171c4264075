// What happens to running work when something fails: machines that lose power, a store that is away, daemons
// that die, a machine that is cut off. Copies are counted from the host, ten times a second.
import { Cluster, DoubleWatch, processes, runningProbes, sleep } from "../test/support/cluster.ts";
import { benchUnit, kindOfUnits } from "./bench-unit.ts";
import type { BenchOptions, BenchResult, BenchRow } from "./result.ts";
import { median } from "./statistics.ts";

const names = Array.from({ length: 30 }, (_, i) => `probe-${i}.service`);

export async function run(options: BenchOptions = {}): Promise<BenchResult> {
  const cluster = new Cluster(`bench-faults-${process.pid}`);
  try {
    await cluster.keel(["up", "--no-example"]);
    await cluster.start(Object.fromEntries(names.map((name) => [name, benchUnit(options)])));
    await allHealthy(cluster);
    return {
      name: "faults",
      how: `${names.length} units on 3 machines, default lease; ${kindOfUnits(options)}`,
      rows: [...(await outages(cluster)), ...(await cut(cluster)), ...(await crashes(cluster))],
    };
  } finally {
    await cluster.down();
  }
}

const where = (cluster: Cluster): Map<string, string> =>
  new Map(runningProbes(cluster.name).map(({ unit, machine, pid }) => [unit, `${machine} ${pid}`]));

const allHealthy = (cluster: Cluster): Promise<unknown> =>
  cluster.until(
    "all healthy",
    ({ instances }) => instances.filter((instance) => instance.state === "healthy").length === names.length,
  );

/** Of the units before, those that run elsewhere, and those that were started anew where they were. */
function compare(
  before: Map<string, string>,
  after: Map<string, string>,
): { moved: number; restarted: number } {
  let moved = 0;
  let restarted = 0;
  for (const [unit, place] of before) {
    const now = after.get(unit);
    if (now === place) continue;
    if (now?.split(" ")[0] === place.split(" ")[0]) restarted++;
    else moved++;
  }
  return { moved, restarted };
}

async function outages(cluster: Cluster): Promise<BenchRow[]> {
  const keeld = /keeld\.js/;
  const rows: BenchRow[] = [];
  const measure = async (what: string, fault: () => Promise<void>): Promise<void> => {
    console.error(what);
    const before = where(cluster);
    await fault();
    await sleep(10_000);
    await allHealthy(cluster);
    const { moved, restarted } = compare(before, where(cluster));
    rows.push(
      { what: `${what}: moved`, value: moved, unit: "units", reach: "0" },
      { what: `${what}: restarted`, value: restarted, unit: "units", reach: "0" },
    );
  };
  const host = (): { pid: number }[] =>
    processes(cluster.name, keeld).filter(({ machine }) => machine.startsWith("host."));
  await measure("store killed, back after 60 s", async () => {
    for (const { pid } of host()) process.kill(pid, "SIGKILL");
    await sleep(60_000);
    await cluster.keel(["up", "--no-example"]);
  });
  await measure("store frozen for 60 s", async () => {
    const pids = host();
    for (const { pid } of pids) process.kill(pid, "SIGSTOP");
    await sleep(60_000);
    for (const { pid } of pids) process.kill(pid, "SIGCONT");
  });
  await measure("leader’s keeld killed", async () => {
    const leader = (await cluster.snapshot()).leader?.name;
    for (const { pid, machine } of processes(cluster.name, keeld))
      if (machine === leader) process.kill(pid, "SIGKILL");
  });
  await measure("every machine’s keeld restarted, as an upgrade does", async () => {
    for (const name of ["m1", "m2", "m3"]) await cluster.keel(["ssh", name, "systemctl", "restart", "keeld"]);
  });
  return rows;
}

async function cut(cluster: Cluster): Promise<BenchRow[]> {
  const watch = new DoubleWatch(cluster.name);
  await cluster.keel(["machine", "cut", "m3"]);
  await sleep(60_000);
  await cluster.keel(["machine", "heal", "m3"]);
  const { ms } = await cluster.until(
    "m3 is back",
    ({ machines }) => machines.some((machine) => machine.name === "m3" && machine.state === "up"),
    30_000,
    20,
  );
  await sleep(10_000);
  await allHealthy(cluster);
  await watch.stop();
  const copies = runningProbes(cluster.name).length;
  return [
    {
      what: "machine cut off for 60 s: moments with two copies of a singleton",
      value: watch.doubles.length,
      unit: `of ${watch.samples} samples`,
      reach: "0",
      note: "fleet: every unit twice for up to 108 s",
    },
    { what: "after healing: back in service", value: ms / 1000, unit: "s", reach: "5 s" },
    { what: "after healing: copies", value: copies, unit: "processes", reach: String(names.length) },
  ];
}

async function crashes(cluster: Cluster): Promise<BenchRow[]> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    // The first two crashes hit the leader, which is the slower case.
    const leader = (await cluster.snapshot()).leader?.name ?? "m1";
    const counts = new Map<string, number>();
    for (const { machine } of runningProbes(cluster.name))
      counts.set(machine, (counts.get(machine) ?? 0) + 1);
    const others = ["m1", "m2", "m3"]
      .filter((name) => name !== leader)
      .toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
    const victim = i < 2 && (counts.get(leader) ?? 0) > 0 ? leader : (others[0] ?? "m1");
    const started = performance.now();
    await cluster.keel(["machine", "kill", victim]);
    await cluster.until(
      "healthy elsewhere",
      ({ instances }) =>
        names.every((name) =>
          instances.some(
            (instance) =>
              instance.name === name && instance.state === "healthy" && instance.machineName !== victim,
          ),
        ),
      60_000,
      20,
    );
    times.push((performance.now() - started) / 1000);
    await cluster.keel(["machine", "start", victim]);
    await cluster.until("all up", ({ machines }) => machines.every((machine) => machine.state === "up"));
    await sleep(7000);
  }
  const note = times.map((s) => s.toFixed(1)).join(", ");
  return [
    {
      what: "power lost to all its units healthy elsewhere, median of 5",
      value: median(times),
      unit: "s",
      reach: "at most 10 s",
      peer: 28,
      peerName: "fleet",
      ratio: median(times) / 28,
      note,
    },
    {
      what: "the same, worst of 5",
      value: Math.max(...times),
      unit: "s",
      reach: "at most 10 s",
      peer: 16.7,
      peerName: "Docker Swarm, best",
      ratio: Math.max(...times) / 16.7,
    },
  ];
}
