// What Keelson costs: processes and memory of a machine with and without it, processor time, boot time.
// Everything is measured on this host, now.
import type { LocalCluster } from "../../local/cluster.ts";
import type { MachineProvider } from "../../local/machine-provider.ts";
import type { Clock } from "../../base/clock.ts";
import { clusterProcesses } from "./process-usage.ts";
import type { ProcessUsage } from "./process-usage.ts";

export interface Usage {
  readonly processes: number;
  readonly rssBytes: number;
  readonly pssBytes: number;
  /** Of one core, over the time of the measurement. */
  readonly cpuPercent: number;
}

export interface MachineUsage {
  readonly machine: string;
  /** Everything but the units that Keelson was asked to run. */
  readonly system: Usage;
  readonly keeld: Usage;
  readonly fence: Usage;
  readonly units: Usage;
  /** From the start of the machine's systemd to the end of its start-up. */
  readonly bootMs: number;
}

const keeldUnit = "keeld.service";
const fenceUnit = "keelson-fence.service";

/** Measures the machines of a cluster, and its keeld on the host, over `sampleMs`. */
export async function measureCluster(
  cluster: LocalCluster,
  options: {
    readonly clock: Clock;
    readonly sampleMs: number;
    readonly signal: AbortSignal;
    /** systemd's names of the services that are work and no overhead, by machine. */
    readonly work: ReadonlyMap<string, ReadonlySet<string>>;
  },
): Promise<{ readonly machines: readonly MachineUsage[]; readonly host: Usage }> {
  const provider = await cluster.machines();
  const running = (await provider.list())
    .filter((machine) => machine.state === "running")
    .map(({ name }) => name);
  const before = new Map((await clusterProcesses(cluster.name)).map((usage) => [usage.pid, usage]));
  const started = options.clock.now();
  await options.clock.sleep(options.sampleMs, options.signal);
  const after = await clusterProcesses(cluster.name);
  const elapsed = options.clock.now() - started;
  const sum = (wanted: (usage: ProcessUsage) => boolean): Usage =>
    sumOf(after.filter(wanted), before, elapsed);
  const machines = await Promise.all(
    running.map(async (machine) => {
      const here = (usage: ProcessUsage): boolean => usage.place === machine;
      const isWork = (usage: ProcessUsage): boolean => options.work.get(machine)?.has(usage.unit) === true;
      return {
        machine,
        system: sum((usage) => here(usage) && !isWork(usage)),
        keeld: sum((usage) => here(usage) && usage.unit === keeldUnit),
        fence: sum((usage) => here(usage) && usage.unit === fenceUnit),
        units: sum((usage) => here(usage) && isWork(usage)),
        bootMs: await bootMs(provider, machine),
      };
    }),
  );
  return { machines, host: sum((usage) => usage.place === "host") };
}

function sumOf(
  usages: readonly ProcessUsage[],
  before: ReadonlyMap<number, ProcessUsage>,
  elapsedMs: number,
): Usage {
  const total = (value: (usage: ProcessUsage) => number): number =>
    usages.reduce((sum, usage) => sum + value(usage), 0);
  const cpuMs = total((usage) => usage.cpuMs - (before.get(usage.pid)?.cpuMs ?? usage.cpuMs));
  return {
    processes: usages.length,
    rssBytes: total(({ rssBytes }) => rssBytes),
    pssBytes: total(({ pssBytes }) => pssBytes),
    cpuPercent: (cpuMs / elapsedMs) * 100,
  };
}

/** The machine's own systemd says when it began and when everything was started. */
async function bootMs(provider: MachineProvider, machine: string): Promise<number> {
  const names = ["UserspaceTimestampMonotonic", "FinishTimestampMonotonic"];
  const { stdout } = await provider.exec(machine, [
    "systemctl",
    "show",
    ...names.map((name) => `--property=${name}`),
  ]);
  const [start = 0, end = 0] = names.map((name) =>
    Number(new RegExp(`^${name}=(\\d+)$`, "m").exec(stdout)?.[1] ?? 0),
  );
  return Math.max(0, (end - start) / 1000);
}
