// Real machines for a suite: a cluster under a name of its own, removed whatever becomes of the suite.
// The name carries the process that owns it; what a killed run left behind is removed by the next.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { findHierarchies } from "../../packages/keelson/src/local/cgroup.ts";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import { tryCommand } from "../../packages/keelson/src/local/command.ts";
import { installLine } from "../../packages/keelson/src/local/debian-packages.ts";
import { findCommand, kernelTrials } from "../../packages/keelson/src/local/host-facts.ts";
import type { MachineProvider, MachineRequest } from "../../packages/keelson/src/local/machine-provider.ts";
import { bridgeName, portPrefix, tableName } from "../../packages/keelson/src/local/names.ts";
import { buildCommands, runCommands } from "../../packages/keelson/src/local/preflight.ts";
import type { Progress } from "../../packages/keelson/src/local/progress.ts";
import { prepareMachineTree } from "../../packages/keelson/src/local/tree/machine-tree.ts";
import type { MachineTree } from "../../packages/keelson/src/local/tree/machine-tree.ts";

export const repository = resolve(import.meta.dirname, "../..");

export interface MachinesOptions {
  /** How many are made, started and waited for: m1, m2, … */
  readonly count: number;
  /** Distinguishes the clusters of one file. */
  readonly cluster?: string;
  /** Whether the machines have keeld and its Node. */
  readonly keeld?: boolean;
  /** Packages beyond the recipe's. */
  readonly extraPackages?: readonly string[];
  readonly credentials?: MachineRequest["credentials"];
}

export interface Machines {
  readonly cluster: LocalCluster;
  readonly machines: MachineProvider;
  readonly tree: MachineTree;
  readonly names: readonly string[];
  /** Runs a shell line in a machine; throws unless it succeeds. Returns its output. */
  readonly sh: (machine: string, line: string) => Promise<string>;
}

/** Runs a task with machines that are up, and removes them. Skips the test where machines cannot run. */
export async function withMachines(
  t: TestContext,
  options: MachinesOptions,
  task: (machines: Machines) => Promise<void>,
): Promise<void> {
  const reason = whyNoMachines();
  if (reason !== false) return t.skip(reason);
  await removeAbandoned();
  const tree = await machineTree(options);
  const cluster = newCluster(options.cluster ?? "suite");
  try {
    await cluster.create(tree.layers);
    const machines = await cluster.machines();
    const names = Array.from({ length: options.count }, (_, i) => `m${i + 1}`);
    for (const name of names) {
      await machines.create({ name, ...(options.credentials && { credentials: options.credentials }) });
    }
    await Promise.all(names.map((name) => machines.start(name)));
    await Promise.all(names.map((name) => machines.ready(name)));
    await task({ cluster, machines, tree, names, sh: (name, line) => shell(machines, name, line) });
  } finally {
    await cluster.destroy();
    owned.delete(cluster);
  }
}

async function shell(machines: MachineProvider, name: string, line: string): Promise<string> {
  const { code, stdout, stderr } = await machines.exec(name, ["sh", "-c", line], { timeoutMs: 120_000 });
  if (code !== 0) throw new Error(`${name}: ${line}\nended with ${code}\n${stdout}${stderr}`);
  return stdout;
}

const owned = new Set<LocalCluster>();
let trapped = false;

/** A cluster that is removed with this process. */
export function newCluster(suffix: string): LocalCluster {
  const cluster = new LocalCluster(`t${process.pid}-${suffix}`);
  owned.add(cluster);
  if (!trapped) {
    trapped = true;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        const destroyed = [...owned].map((one) => one.destroy());
        void Promise.allSettled(destroyed).then(() => process.exit(130));
      });
    }
  }
  return cluster;
}

/** Why no machine can run here, for a test's `skip`; false when they can. */
export function whyNoMachines(): string | false {
  if (process.platform !== "linux") return "machines need Linux";
  if (process.getuid?.() !== 0) return "machines need root";
  if (findHierarchies().unified === undefined) return "machines need cgroup2";
  const needed = { ...runCommands, ...buildCommands };
  const packages = Object.entries(needed).flatMap(([name, from]) => (findCommand(name) ? [] : [from]));
  if (packages.length > 0) return `machines need packages: ${installLine([...new Set(packages)])}`;
  for (const { what, argv, input } of kernelTrials) {
    const { status, stderr } = spawnSync(argv[0] ?? "", argv.slice(1), { input, encoding: "utf8" });
    if (status !== 0) return `machines need ${what}: ${stderr}`;
  }
  return false;
}

/** Removes clusters of test runs that were killed. */
export async function removeAbandoned(): Promise<void> {
  for (const name of await LocalCluster.list()) {
    const owner = /^t(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) await new LocalCluster(name).destroy();
  }
}

/** The tree for machines; building it, the first time, is told on stderr. */
export function machineTree(
  options: Pick<MachinesOptions, "keeld" | "extraPackages"> = {},
): Promise<MachineTree> {
  const { keeld: withProgram = false, extraPackages = [] } = options;
  return prepareMachineTree({ repository, progress: stderrProgress, withProgram, extraPackages });
}

const stderrProgress: Progress = {
  step(name) {
    const started = performance.now();
    const end = (mark: string, detail = ""): void =>
      console.error(`${mark} ${name} ${detail} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    return { update() {}, done: (detail) => end("✓", detail), fail: (detail) => end("✗", detail) };
  },
};

/** Everything on this host that belongs to a cluster, by kind. All empty when it was never there. */
export interface Traces {
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly interfaces: readonly string[];
  readonly tables: readonly string[];
  readonly cgroups: readonly string[];
  readonly files: readonly string[];
}

export async function tracesOf(cluster: LocalCluster): Promise<Traces> {
  const { name, folder, runtimeFolder } = cluster;
  const { unified, legacy } = findHierarchies();
  const groups = [unified ?? "", ...legacy].map((mount) => join(mount, "keelson", name));
  const tables = (await tryCommand(["nft", "list", "tables"])).stdout.split("\n");
  return {
    processes: await processesOf(name, folder),
    mounts: (await readFile("/proc/self/mountinfo", "utf8"))
      .split("\n")
      .filter((line) => line.includes(folder)),
    interfaces: (await readdir("/sys/class/net")).filter(
      (port) => port === bridgeName(name) || port.startsWith(portPrefix(name)),
    ),
    tables: tables.filter((line) => line.endsWith(tableName(name))),
    cgroups: groups.filter((path) => existsSync(path)),
    files: [folder, runtimeFolder].filter((path) => existsSync(path)),
  };
}

export const noTraces: Traces = {
  processes: [],
  mounts: [],
  interfaces: [],
  tables: [],
  cgroups: [],
  files: [],
};

async function processesOf(name: string, folder: string): Promise<string[]> {
  const found = [];
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    if (pid === String(process.pid)) continue;
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      const group = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      // The dead whom the host's PID 1 has not collected yet are dead.
      if (/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) continue;
      if (group.includes(`/keelson/${name}/`) || line.includes(`${folder}/`)) found.push(`${pid} ${line}`);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
