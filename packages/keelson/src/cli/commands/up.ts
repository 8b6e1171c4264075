import { resolve } from "node:path";
import type { InstanceView } from "../../api/wire/instance.ts";
import { KeelError } from "../../base/errors.ts";
import { LocalCluster } from "../../local/cluster.ts";
import { releaseOf } from "../../local/tree-machine.ts";
import { prepareHost } from "../../local/prepare-host.ts";
import { formatDuration } from "../duration.ts";
import type { Invocation, Register } from "../invocation.ts";
import { timeoutOf } from "../invocation.ts";
import { bringUp } from "../local-cluster/bring-up.ts";
import { defaultVirtualMemory, machineKind } from "../local-cluster/machine-kind.ts";
import { exampleUnit, repositoryFolder } from "../local-cluster/example.ts";
import { parseFleetAddress } from "../local-cluster/configurations.ts";
import { upText } from "../local-cluster/summary.ts";
import { Interrupted } from "../report-error.ts";

interface UpOptions {
  readonly machines?: string;
  readonly example?: boolean;
  readonly mirror?: string;
  readonly timeout?: string;
  readonly store?: string;
  readonly fleet?: string;
  readonly provider?: string;
  readonly image?: string;
  readonly release?: string;
  readonly memory?: string;
  readonly cpus?: string;
}

const mostMachines = 200;

export const register: Register = (program, act) => {
  const command = program
    .command("up")
    .option("-n, --machines <number>", "how many machines (3)")
    .option("--provider <kind>", "nspawn: containers; qemu: virtual machines that run the OS image (nspawn)")
    .option("--image <file>", "with qemu: a raw image instead of the one built from this checkout")
    .option(
      "--release <manifest>",
      "with nspawn: new machines start from a release, in one of two slots, and can be updated as installed ones",
    )
    .option("--memory <size>", "with qemu: the memory of a machine (1G)")
    .option("--cpus <number>", "with qemu: the processors of a machine (2; 1 where they are emulated)")
    .option("--no-example", "do not start the example")
    .option("--store <kind>", "etcd: the store becomes a cluster of etcd on three machines")
    .option("--mirror <url>", "where Debian’s packages come from (KEEL_MIRROR)")
    .option("--fleet <address>", "HOST:PORT where fleetctl may change everything; off for nowhere")
    .option("--timeout <span>", "how long to wait for the example (60s)")
    .description(
      "Start a local cluster of real systemd machines. On a cluster that runs: repair what is missing.",
    );
  act<UpOptions>(command, async (keel, _args, options) => {
    const started = keel.clock.now();
    const repository = repositoryFolder();
    if (repository === undefined) {
      throw new KeelError("KEEL-301", "local clusters are made from a checkout of Keelson", {
        hint: "git clone it, then ./keel up",
      });
    }
    const machines = machineCount(options.machines);
    const store = storeKind(options.store, machines);
    const exampleTimeoutMs = options.timeout === undefined ? undefined : timeoutOf(options);
    if (options.fleet !== undefined) parseFleetAddress(options.fleet);
    const mirror = options.mirror ?? keel.terminal.env.KEEL_MIRROR;
    const mirrorOption = mirror === undefined || mirror === "" ? {} : { mirror };
    const cluster = new LocalCluster(keel.cluster);
    const record = await cluster.record();
    const kind = machineKind(options, record);
    const release = releaseFile(options.release, kind.provider, keel.terminal.cwd);
    const hostNotes = await prepareHost({
      repository,
      machines,
      progress: keel.progress,
      ...mirrorOption,
      ...(kind.provider === "qemu"
        ? {
            provider: kind.provider,
            memoryPerMachine: kind.memoryBytes ?? record?.qemu?.memoryBytes ?? defaultVirtualMemory,
          }
        : {}),
    });
    const result = await interruptible(keel, () =>
      cluster.exclusively(() =>
        bringUp(keel, cluster, {
          repository,
          machines,
          kind,
          release,
          withExample: options.example !== false,
          mirror: mirrorOption.mirror,
          exampleTimeoutMs,
          store,
          fleet: options.fleet,
        }),
      ),
    );
    const instances = await withAddresses(keel);
    const took = formatDuration(keel.clock.now() - started);
    for (const note of [...hostNotes, ...result.notes]) keel.progress.note(`note: ${note}`);
    keel.output.document(
      { cluster: keel.cluster, ...result, instances, ms: Math.round(keel.clock.now() - started) },
      () => upText({ cluster: keel.cluster, instances, took, command: keel.command, ...result }, keel.paint),
    );
  });
};

/** The instances, as soon as the example's have their addresses. */
async function withAddresses(keel: Invocation): Promise<readonly InstanceView[]> {
  const client = await keel.daemon();
  for (const end = keel.clock.now() + 3000; ;) {
    const { instances } = await client.snapshot();
    const example = instances.filter(({ unit, state }) => unit === exampleUnit && state === "healthy");
    if (example.every(({ addresses }) => addresses.length > 0) || keel.clock.now() > end) return instances;
    await keel.clock.sleep(50, keel.signal);
  }
}

/** Ctrl-C leaves what was made: says so, and how to go on. */
async function interruptible<T>(keel: Invocation, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!keel.signal.aborted) throw error;
    throw new Interrupted(
      `interrupted: \`${keel.command("up")}\` goes on from here, \`${keel.command("down")}\` removes what was made`,
    );
  }
}

/** Throws KEEL-104 where it cannot be meant. */
function releaseFile(word: string | undefined, provider: string, cwd: string): string | undefined {
  if (word === undefined) return undefined;
  if (provider !== "nspawn")
    throw new KeelError("KEEL-104", "virtual machines run an image, not a release", { hint: "--image" });
  const path = resolve(cwd, word);
  releaseOf(path);
  return path;
}

function machineCount(text: string | undefined): number {
  const count = Number(text ?? 3);
  if (Number.isInteger(count) && count >= 1 && count <= mostMachines) return count;
  throw new KeelError("KEEL-104", `--machines ${text}: no number of machines`, {
    hint: `a whole number from 1 to ${mostMachines}`,
  });
}

function storeKind(text: string | undefined, machines: number): "embedded" | "etcd" | undefined {
  if (text === undefined || text === "embedded") return text;
  if (text !== "etcd") throw new KeelError("KEEL-104", `--store ${text}: the store is embedded or etcd`);
  if (machines >= 3) return text;
  throw new KeelError("KEEL-104", "a cluster of etcd needs three machines", { hint: "--machines 3" });
}
