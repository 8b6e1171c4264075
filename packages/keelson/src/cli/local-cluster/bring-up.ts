// `keel up`: from whatever is there to a cluster that runs. Every step looks first and makes only what is
// missing, so that an interrupted `up` is gone on with, and a second one repairs.
import { KeelError } from "../../base/errors.ts";
import type { MachineView } from "../../api/wire/machine.ts";
import type { LocalCluster } from "../../local/cluster.ts";
import type { MachineProvider, MachineStatus } from "../../local/machine-provider.ts";
import type { MachineTree } from "../../local/tree/machine-tree.ts";
import { prepareMachineTree } from "../../local/tree/machine-tree.ts";
import { toolsTree } from "../../local/tree/tools-tree.ts";
import { whoAsks } from "../change.ts";
import type { DaemonClient } from "../daemon/client.ts";
import type { Invocation } from "../invocation.ts";
import { followOperation } from "../operation-progress.ts";
import { moveStore } from "../store-move.ts";
import { exampleUnit, loadExampleImage, startExample } from "./example.ts";
import { hostDaemonRuns, noteFleet, startHostDaemon } from "./host-daemon.ts";
import { createMachine, machineNames, machinesJoined } from "./machines.ts";
import { slownessNote, virtualBase } from "./machine-kind.ts";
import type { MachineKind } from "./machine-kind.ts";

export interface BringUpOptions {
  readonly repository: string;
  /** How many machines there are to be at least. */
  readonly machines: number;
  readonly kind: MachineKind;
  /** The manifest of a release that new machines start from, in one of two slots. */
  readonly release: string | undefined;
  readonly withExample: boolean;
  readonly mirror: string | undefined;
  /** A minute on machines that are as quick as the host, when undefined. */
  readonly exampleTimeoutMs: number | undefined;
  /** `etcd`: the store is to be a cluster on the machines. */
  readonly store: "embedded" | "etcd" | undefined;
  /** `HOST:PORT` where fleet's API takes changes, `off` for nowhere; as before when undefined. */
  readonly fleet: string | undefined;
}

export interface BroughtUp {
  readonly machines: readonly MachineView[];
  readonly dashboard: string;
  /** What had to be made or started, in words; nothing for a cluster that ran. */
  readonly made: readonly string[];
  /** Machines that are there and cannot work: paused, cut off. */
  readonly hindered: readonly string[];
  readonly provider: "nspawn" | "qemu";
  /** Things that work less well here. */
  readonly notes: readonly string[];
}

/** Brings the cluster up. To be run under the cluster's lock. */
export async function bringUp(
  keel: Invocation,
  cluster: LocalCluster,
  options: BringUpOptions,
): Promise<BroughtUp> {
  const { progress, signal } = keel;
  const made: string[] = [];
  const before = await cluster.record();
  const tree = await prepareMachineTree({
    repository: options.repository,
    progress,
    signal,
    ...(options.mirror === undefined ? {} : { mirror: options.mirror }),
  });
  const { repository, mirror, kind } = options;
  const qemu =
    kind.provider === "qemu"
      ? await virtualBase(keel, kind, { repository, mirror, before: before?.qemu })
      : undefined;
  const { release } = options;
  const notes: Record<string, string> =
    release === undefined
      ? {}
      : {
          release,
          tools: await toolsTree({
            repository,
            progress,
            signal,
            ...(mirror === undefined ? {} : { mirror }),
          }),
        };
  signal.throwIfAborted();
  const record = await progress.run(
    "network",
    () => cluster.create(tree.layers, notes, qemu),
    ({ subnet }) => subnet,
  );
  if (before === undefined) made.push("the network");
  const client = await keel.daemon();
  const provider = await cluster.machines();
  await noteFleet(cluster, options.fleet);
  const daemon = bringUpHost(keel, cluster, tree, client);
  const started = bringUpMachines(keel, cluster, provider, options.machines);
  await allSettled([daemon, started]);
  const [host, machines] = [await daemon, await started];
  if (host === "started") made.push("keeld on the host");
  made.push(...machines.made);
  const joined = await progress.run(
    "machines join the cluster",
    (step) =>
      machinesJoined(machines.expected, client, { timeoutMs: 180_000 * provider.slowness, signal, step }),
    (up) => up.map(({ name }) => name).join(", "),
  );
  if (options.withExample && record.notes.example === undefined) {
    await bringUpExample(keel, cluster, client, {
      busybox: tree.busybox,
      ...options,
      timeoutMs: options.exampleTimeoutMs ?? 180_000 * provider.slowness,
    });
    made.push(exampleUnit);
  }
  if (options.store === "etcd" && (await client.store.status()).kind === "embedded") {
    await moveStore(keel, { to: "etcd", members: Math.min(3, joined.length) });
    made.push("the store's cluster");
  }
  const port = (await cluster.record())?.notes.dashboardPort ?? "";
  const note = qemu === undefined ? undefined : slownessNote(qemu);
  return {
    machines: joined,
    dashboard: `http://127.0.0.1:${port}/`,
    made,
    hindered: machines.hindered,
    provider: kind.provider,
    notes: note === undefined ? [] : [note],
  };
}

async function bringUpHost(
  keel: Invocation,
  cluster: LocalCluster,
  tree: MachineTree,
  client: DaemonClient,
): Promise<"started" | "running"> {
  if (await hostDaemonRuns(cluster)) return "running";
  const { signal } = keel;
  await keel.progress.run("store and API on the host", () =>
    startHostDaemon({ cluster, tree, client, signal }),
  );
  return "started";
}

interface MachinesUp {
  readonly made: readonly string[];
  /** Those that are to join. */
  readonly expected: readonly string[];
  readonly hindered: readonly string[];
}

async function bringUpMachines(
  keel: Invocation,
  cluster: LocalCluster,
  provider: MachineProvider,
  count: number,
): Promise<MachinesUp> {
  await provider.collectGarbage();
  const there = await provider.list();
  const missing = machineNames(count).filter((name) => !there.some((machine) => machine.name === name));
  const client = await keel.daemon();
  for (const name of missing) await createMachine(cluster, provider, { name, client, count });
  const stopped = there.filter((machine) => machine.state === "stopped").map(({ name }) => name);
  await allSettled([...missing, ...stopped].map((name) => bootMachine(keel, provider, name)));
  const hindered = there.filter(isHindered);
  const expected = [...there.filter((machine) => !isHindered(machine)).map(({ name }) => name), ...missing];
  return {
    made: [...missing, ...stopped],
    expected,
    hindered: hindered.map(
      (machine) => `${machine.name} is ${machine.state === "paused" ? "paused" : "cut off"}`,
    ),
  };
}

/** Starts a machine and waits until its systemd has started everything. */
export function bootMachine(keel: Invocation, provider: MachineProvider, name: string): Promise<void> {
  return keel.progress.run(`machine ${name}`, async (step) => {
    step.update("boots");
    await provider.start(name);
    keel.signal.throwIfAborted();
    const state = await provider.ready(name, { signal: keel.signal });
    if (state === "running") return step.update("runs");
    step.update("runs, but some of its units failed");
  });
}

function isHindered(machine: MachineStatus): boolean {
  const cut = machine.cutFrom === "everything" || machine.cutFrom.includes("host");
  return machine.state === "paused" || (machine.state === "running" && (cut || machine.link === "down"));
}

async function bringUpExample(
  keel: Invocation,
  cluster: LocalCluster,
  client: DaemonClient,
  options: BringUpOptions & { readonly busybox: string; readonly timeoutMs: number },
): Promise<void> {
  await keel.progress.run("example image", () => loadExampleImage(client, options.busybox));
  const operation = await startExample(client, options.repository, whoAsks(keel));
  await cluster.note({ example: operation.id });
  const { progress, timedOut } = await followOperation(keel, client, operation, options.timeoutMs);
  if (timedOut || progress?.outcome !== "succeeded") {
    const reasons =
      progress?.items.flatMap(({ instance, reason }) => (reason === "" ? [] : [`${instance}: ${reason}`])) ??
      [];
    throw new KeelError(
      "KEEL-603",
      `the cluster runs, but the example does not: ${reasons.join("; ") || "no word yet"}`,
      {
        hint: `\`keel why ${exampleUnit}\` says more`,
      },
    );
  }
}

/** All of them, and the first failure only after all have ended, so that nothing goes on in the background. */
async function allSettled(tasks: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}
