// The leader's speed and memory at scale: a real leader over a real store, and a thousand machines with the real
// agent on simulated hosts. On the embedded store and on etcd, and at a tenth and a hundredth of the size.
import { emptyCluster } from "../packages/keelson/src/model/cluster.ts";
import { systemClock } from "../packages/keelson/src/base/clock.ts";
import { silentLog } from "../packages/keelson/src/base/log.ts";
import { systemRandom, timeOrderedId } from "../packages/keelson/src/base/random.ts";
import { applyOperation } from "../packages/keelson/src/registry/apply-operation.ts";
import { EtcdStore } from "../packages/keelson/src/registry/etcd-store.ts";
import { plan } from "../packages/keelson/src/safeguards/plan.ts";
import { Programs, type MeasuredCluster, type StoreKind } from "./cluster/processes.ts";
import { type Shape, unitFile } from "./cluster/shape.ts";
import { type BenchOptions, type BenchResult, type BenchRow, renderText } from "./result.ts";
import { median, percentile } from "./statistics.ts";

const full: Shape = { machines: 1000, units: 20_000 };
const shapes: readonly Shape[] = [{ machines: 10, units: 200 }, { machines: 100, units: 2000 }, full];
const unitsPerOperation = 1000;
const singles = 40;
const steadySeconds = 60;

export async function run({ only }: BenchOptions): Promise<BenchResult> {
  await using programs = await Programs.open();
  const rows: BenchRow[] = [];
  for (const kind of ["embedded", "etcd"] as const) {
    const costs: Costs[] = [];
    for (const shape of shapes) {
      const name = `${kind}, ${shape.machines} machines, ${shape.units} units`;
      if (only !== undefined && !only.test(name)) continue;
      console.error(name);
      const measured = await measure(programs, { kind, shape, name });
      rows.push(...measured.rows);
      console.error(renderText({ name, how: "as measured now", rows: measured.rows }));
      costs.push(measured.costs);
    }
    if (costs.length > 1) rows.push(...growth(kind, costs));
  }
  return {
    name: "cluster",
    how: "one leader in a process of its own, the real agent of each machine on a simulated host, all on one computer with the store; units are submitted a thousand at a time, each with a file of its own",
    rows,
  };
}

interface Costs {
  readonly shape: Shape;
  /** Milliseconds of the leader's processor time for one unit among all that are placed from nothing. */
  readonly ofMany: number;
  /** The same for one unit that comes alone when all others run. */
  readonly ofOne: number;
}

interface Trial {
  readonly kind: StoreKind;
  readonly shape: Shape;
  readonly name: string;
}

async function measure(
  programs: Programs,
  { kind, shape, name }: Trial,
): Promise<{ readonly rows: BenchRow[]; readonly costs: Costs }> {
  await using cluster = await programs.start(kind, shape);
  const around = { clock: systemClock, random: systemRandom, log: silentLog };
  await using store = new EtcdStore({ endpoints: [cluster.endpoint], ...around });
  const isFull = shape === full;
  const registered = await cluster.until("all machines", () => cluster.registered === shape.machines, 120);
  await cluster.until("a leader", async () => (await cluster.figures()).isLeading, 30);
  await pause(7);

  const many = await fromNothing(cluster, store, shape);
  const one = await oneByOne(cluster, store, shape);
  const rows: BenchRow[] = [
    { what: `${name}: machines registered`, value: registered, unit: "s" },
    { what: `${name}: all units run`, value: many.seconds, unit: "s", ...(isFull && reach("at most 60 s")) },
    {
      what: `${name}: pass of the scheduler meanwhile, p99`,
      value: percentile(many.passes, 0.99),
      unit: "ms",
      ...(isFull && reach("under 400 ms")),
      note: `${many.passes.length} passes, median ${median(many.passes).toFixed(1)}`,
    },
    {
      what: `${name}: unit told to the leader to order in the store, all at once, p99`,
      value: percentile(many.decisions, 0.99),
      unit: "ms",
      note: `median ${median(many.decisions).toFixed(0)}`,
    },
    {
      what: `${name}: the same, one unit at a time, p99`,
      value: percentile(one.decisions, 0.99),
      unit: "ms",
      ...(isFull && reach("under 400 ms")),
      note: `${one.decisions.length} units, median ${median(one.decisions).toFixed(0)}`,
    },
    { what: `${name}: leader’s processor time for a unit, of many`, value: many.cpuMs, unit: "ms" },
    { what: `${name}: leader’s processor time for a unit alone`, value: one.cpuMs, unit: "ms" },
  ];
  if (isFull) {
    rows.push(...(await steady(cluster, store, name)));
    rows.push(...(await loss(cluster, name)));
    rows.push({
      what: `${name}: leader’s memory, most`,
      value: cluster.mostLeaderMemory,
      unit: "MiB",
      reach: "at most 300 MiB",
      note: "proportional share",
    });
    rows.push({ what: `${name}: store’s memory`, value: cluster.store.memory(), unit: "MiB" });
  }
  return { rows, costs: { shape, ofMany: many.cpuMs, ofOne: one.cpuMs } };
}

const reach = (words: string): { readonly reach: string } => ({ reach: words });
const pause = (seconds: number): Promise<void> => new Promise((done) => setTimeout(done, 1000 * seconds));

async function submit(store: EtcdStore, numbers: readonly number[]): Promise<void> {
  const files = numbers.map((number) => {
    const { name, text } = unitFile(number);
    return { name, body: Buffer.from(text).toString("base64") };
  });
  const nowMs = Date.now();
  const planned = plan({ kind: "submit", files, desired: "launched", replace: false }, emptyCluster, {
    bodies: () => undefined,
    placements: { rulesOf: () => "missing" },
    context: { who: "bench", via: "bench", nowMs, newId: () => timeOrderedId(nowMs, systemRandom) },
  });
  await applyOperation(store, planned.operation, planned.bodies);
}

async function fromNothing(cluster: MeasuredCluster, store: EtcdStore, { units }: Shape) {
  cluster.reset();
  const cpu = cluster.leaderCpu;
  const began = performance.now();
  const all = Array.from({ length: units }, (_, number) => number);
  for (let first = 0; first < units; first += unitsPerOperation)
    await submit(store, all.slice(first, first + unitsPerOperation));
  const submitted = (performance.now() - began) / 1000;
  await cluster.until("all units run", () => cluster.active === units, 300);
  const seconds = (performance.now() - began) / 1000;
  console.error(`  submitted after ${submitted.toFixed(1)} s, all run after ${seconds.toFixed(1)} s`);
  // What is told of the last ones is heard a moment later.
  await pause(1);
  const { passes, decisions } = await cluster.figures();
  return { seconds, passes, decisions, cpuMs: ((cluster.leaderCpu - cpu) * 1000) / units };
}

async function oneByOne(cluster: MeasuredCluster, store: EtcdStore, { units }: Shape) {
  cluster.reset();
  const cpu = cluster.leaderCpu;
  for (let number = units; number < units + singles; number++) {
    await submit(store, [number]);
    await cluster.until("one more unit", () => cluster.active === number + 1, 30);
  }
  await pause(1);
  const { decisions } = await cluster.figures();
  return { decisions, cpuMs: ((cluster.leaderCpu - cpu) * 1000) / singles };
}

async function steady(cluster: MeasuredCluster, store: EtcdStore, name: string): Promise<BenchRow[]> {
  await pause(5);
  cluster.reset();
  const revision = async (): Promise<number> => (await store.range({ key: "/keelson/none" })).revision;
  const before = {
    revision: await revision(),
    leader: cluster.leaderCpu,
    store: cluster.store.cpu(),
    machines: cluster.machinesCpu,
  };
  await pause(steadySeconds);
  const share = (seconds: number): number => (100 * seconds) / steadySeconds;
  const busy = share(cluster.leaderCpu - before.leader);
  const storeBusy = share(cluster.store.cpu() - before.store);
  const machinesBusy = share(cluster.machinesCpu - before.machines);
  const { transactions } = await cluster.figures();
  return [
    {
      what: `${name}: steady for ${steadySeconds} s, leader’s share of a core`,
      value: busy,
      unit: "%",
      reach: "under 10 %",
      note: `the store ${storeBusy.toFixed(0)} %, all machines together ${machinesBusy.toFixed(0)} %`,
    },
    {
      what: `${name}: steady, writes to the store`,
      value: (await revision()) - before.revision,
      unit: "revisions",
      reach: "0",
      note: `transactions of the leader: ${transactions}`,
    },
    { what: `${name}: steady, leader’s memory`, value: cluster.leaderMemory(), unit: "MiB" },
  ];
}

async function loss(cluster: MeasuredCluster, name: string): Promise<BenchRow[]> {
  const rounds: { readonly decided: number; readonly seen: number; readonly moved: number }[] = [];
  for (const machine of [7, 77, 770]) {
    cluster.reset();
    const units = cluster.active;
    cluster.lose(machine);
    await pause(2);
    await cluster.until("the lost machine’s units run elsewhere", () => cluster.active === units, 60);
    await pause(1);
    const [found] = (await cluster.figures()).losses;
    if (found === undefined) throw new Error("the leader did not see the loss");
    rounds.push({ decided: found.sinceDecided, seen: found.sinceSeen, moved: found.moved });
  }
  const moved = rounds.map((round) => round.moved).join(", ");
  return [
    {
      what: `${name}: one machine lost, decision to all its units ordered elsewhere, worst of ${rounds.length}`,
      value: Math.max(...rounds.map(({ decided }) => decided)),
      unit: "ms",
      reach: "at most 1000 ms",
      note: `${moved} units`,
    },
    {
      what: `${name}: the same from the lease’s end as the leader hears it`,
      value: Math.max(...rounds.map(({ seen }) => seen)),
      unit: "ms",
      note: "1750 ms of it wait for others that are lost together with it",
    },
  ];
}

/** By which power of the size a decision’s cost grows: machines and units grow by ten together. */
function growth(kind: StoreKind, costs: readonly Costs[]): BenchRow[] {
  return costs.slice(1).flatMap((larger, index) => {
    const smaller = costs[index] as Costs;
    const sizes = `${smaller.shape.units} to ${larger.shape.units} units`;
    const exponent = (cost: "ofMany" | "ofOne"): number =>
      Math.log(larger[cost] / smaller[cost]) / Math.log(larger.shape.units / smaller.shape.units);
    return [
      { what: `${kind}, ${sizes}: exponent of a unit’s cost, of many`, value: exponent("ofMany"), unit: "" },
      { what: `${kind}, ${sizes}: exponent of a unit’s cost, alone`, value: exponent("ofOne"), unit: "" },
    ];
  });
}
