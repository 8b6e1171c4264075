import { KeelError } from "../../base/errors.ts";
import { LocalCluster } from "../../local/cluster.ts";
import { formatBytes } from "../../local/progress.ts";
import { prepareMachineTree } from "../../local/tree/machine-tree.ts";
import { parseDuration } from "../duration.ts";
import type { Invocation, Register } from "../invocation.ts";
import { repositoryFolder } from "../local-cluster/example.ts";
import { measureCluster } from "../local-cluster/overhead.ts";
import type { MachineUsage, Usage } from "../local-cluster/overhead.ts";
import { takeDown } from "../local-cluster/take-down.ts";
import { serviceOf } from "../machine-access.ts";
import { alignColumns } from "../table.ts";
import { showOwnOverhead } from "./os/overhead/own-overhead.ts";

interface OverheadOptions {
  readonly for?: string;
  readonly plain?: boolean;
}

/** How long a machine may settle before it is measured. */
const settleMs = 5000;

export const register: Register = (program, act) => {
  const command = program
    .command("overhead")
    .option("--for <span>", "how long to measure processor time (10s)")
    .option("--no-plain", "do not start a machine without Keelson to compare with")
    .description(
      "Measure what Keelson costs. On an installed machine: its image, boot, memory, processes and ports, beside the image’s budget and a stock system. On a host of a local cluster (the options are for that): memory, processor time, processes and boot time of its machines, beside one without Keelson.",
    );
  act<OverheadOptions>(command, async (keel, _args, options) => {
    const isOfCluster = options.for !== undefined || options.plain === false;
    if (!isOfCluster && (await showOwnOverhead(keel))) return;
    const sampleMs = options.for === undefined ? 10_000 : parseDuration(options.for, "--for");
    const cluster = new LocalCluster(keel.cluster);
    if ((await cluster.record()) === undefined) {
      throw new KeelError("KEEL-601", `there is no local cluster ${keel.cluster} to measure`, {
        hint: "`keel up` starts one",
      });
    }
    const work = await workOf(keel);
    const { machines, host } = await keel.progress.run(`measure ${keel.cluster}`, () =>
      measureCluster(cluster, { clock: keel.clock, sampleMs, signal: keel.signal, work }),
    );
    const plain = options.plain === false ? undefined : await measurePlain(keel, sampleMs);
    const mean = meanOf(machines);
    const document = { sampleMs, host, machines, mean: mean ?? null, plain: plain ?? null };
    keel.output.document(document, () => overheadText({ machines, host, mean, plain, sampleMs }));
  });
};

/** The services that the cluster was asked to run, by machine. */
async function workOf(keel: Invocation): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const client = await keel.daemon();
  const work = new Map<string, Set<string>>();
  for (const instance of (await client.snapshot()).instances) {
    if (instance.machineName === null) continue;
    const services = work.get(instance.machineName) ?? new Set<string>();
    services.add(await serviceOf(instance, client));
    work.set(instance.machineName, services);
  }
  return work;
}

/** A machine of the same packages without Keelson, made for this and removed again. */
async function measurePlain(keel: Invocation, sampleMs: number): Promise<MachineUsage | undefined> {
  const repository = repositoryFolder();
  if (repository === undefined) return undefined;
  const cluster = new LocalCluster(`overhead-${process.pid}`);
  try {
    const tree = await prepareMachineTree({
      repository,
      progress: keel.progress,
      withProgram: false,
      signal: keel.signal,
    });
    return await keel.progress.run("measure a machine without Keelson", async (step) => {
      await cluster.create(tree.layers);
      const provider = await cluster.machines();
      await provider.create({ name: "plain" });
      step.update("boots");
      await provider.start("plain");
      await provider.ready("plain", { signal: keel.signal });
      await keel.clock.sleep(settleMs, keel.signal);
      step.update("measuring");
      const { machines } = await measureCluster(cluster, {
        clock: keel.clock,
        sampleMs,
        signal: keel.signal,
        work: new Map(),
      });
      return machines[0];
    });
  } finally {
    await takeDown(cluster);
  }
}

function meanOf(machines: readonly MachineUsage[]): MachineUsage | undefined {
  if (machines.length === 0) return undefined;
  const mean = (value: (machine: MachineUsage) => number): number =>
    machines.reduce((sum, machine) => sum + value(machine), 0) / machines.length;
  const usage = (part: (machine: MachineUsage) => Usage): Usage => ({
    processes: mean((machine) => part(machine).processes),
    rssBytes: mean((machine) => part(machine).rssBytes),
    pssBytes: mean((machine) => part(machine).pssBytes),
    cpuPercent: mean((machine) => part(machine).cpuPercent),
  });
  return {
    machine: `mean of ${machines.length}`,
    system: usage(({ system }) => system),
    keeld: usage(({ keeld }) => keeld),
    fence: usage(({ fence }) => fence),
    units: usage(({ units }) => units),
    bootMs: mean((machine) => machine.bootMs),
  };
}

interface Figures {
  readonly machines: readonly MachineUsage[];
  readonly host: Usage;
  readonly mean: MachineUsage | undefined;
  readonly plain: MachineUsage | undefined;
  readonly sampleMs: number;
}

function overheadText({ machines, host, mean, plain, sampleMs }: Figures): string {
  const rows: (readonly string[])[] = [["", "PROCESSES", "PSS", "RSS", "CPU", "BOOT"]];
  for (const machine of machines) {
    rows.push(
      row(`machine ${machine.machine}`, machine.system, machine.bootMs),
      row("  of it keeld", machine.keeld),
      row("  of it the fence", machine.fence),
    );
  }
  if (plain) rows.push(row("machine without Keelson", plain.system, plain.bootMs));
  rows.push(row("keeld on the host (store, API)", host));
  const notes = [
    "PSS counts shared pages in parts, so its sums are right; RSS counts them whole. What units use is left out.",
    `CPU is of one core, over ${sampleMs / 1000} s; BOOT is from the start of systemd until all is started.`,
  ];
  return `${alignColumns(rows)}\n${differenceText(mean, plain)}${notes.join("\n")}\n`;
}

function differenceText(mean: MachineUsage | undefined, plain: MachineUsage | undefined): string {
  if (!mean || !plain) return "";
  const memory = mean.system.pssBytes - plain.system.pssBytes;
  const boot = mean.bootMs - plain.bootMs;
  const signed = (value: number, text: string): string => `${value < 0 ? "−" : "+"}${text}`;
  const cpu = mean.system.cpuPercent - plain.system.cpuPercent;
  return `Keelson adds to a machine: ${signed(memory, formatBytes(Math.round(Math.abs(memory))))} of memory (PSS), ${signed(cpu, `${Math.abs(cpu).toFixed(2)} %`)} of a core, ${signed(boot, `${Math.round(Math.abs(boot))} ms`)} at boot.\n`;
}

function row(name: string, usage: Usage, bootMs?: number): readonly string[] {
  return [
    name,
    String(Math.round(usage.processes)),
    formatBytes(Math.round(usage.pssBytes)),
    formatBytes(Math.round(usage.rssBytes)),
    `${usage.cpuPercent.toFixed(2)} %`,
    bootMs === undefined ? "" : `${Math.round(bootMs)} ms`,
  ];
}
