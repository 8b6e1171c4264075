// The host's own keeld: the cluster's store and the API that `keel` speaks to.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import type { LocalCluster } from "../../local/cluster.ts";
import type { MachineTree } from "../../local/tree/machine-tree.ts";
import type { DaemonClient } from "../daemon/client.ts";
import { firstDashboardPort, hostConfiguration, parseFleetAddress } from "./configurations.ts";
import { toKeelError } from "../report-error.ts";
import { firstFreePort } from "./free-port.ts";

const processName = "keeld";
/** Within what a started process must be there, and within what it must answer. */
const startMs = 2000;
const answerMs = 90_000;
/** How long it may take to end. */
const stopMs = 5000;
/** How many ports are tried for the dashboard when others take them at the same moment. */
const mostPorts = 20;

export interface HostDaemonNeeds {
  readonly cluster: LocalCluster;
  readonly tree: MachineTree;
  readonly client: DaemonClient;
  readonly signal: AbortSignal;
}

/** Starts the host's keeld unless it runs, and waits until it answers and has its store. Throws KEEL-601. */
export async function startHostDaemon(needs: HostDaemonNeeds): Promise<void> {
  const { cluster, client, signal } = needs;
  const before = Number((await cluster.record())?.notes.dashboardPort ?? firstDashboardPort);
  for (let wanted = before, tries = 1; ; tries++) {
    const port = await firstFreePort("127.0.0.1", wanted);
    await startProcess(needs, port);
    try {
      return await answers(cluster, client, signal);
    } catch (error) {
      // Another cluster that came up at the same moment was quicker to take the port.
      const isTaken = error instanceof KeelError && error.message.includes(`127.0.0.1:${port} `);
      if (!isTaken || tries === mostPorts) throw error;
      wanted = port + 1;
    }
  }
}

/** Notes where fleet's API is to take changes, as before when undefined; ends a keeld that was started otherwise. */
export async function noteFleet(cluster: LocalCluster, fleet: string | undefined): Promise<void> {
  const before = (await cluster.record())?.notes.fleet ?? "off";
  if (fleet === undefined || fleet === before) return;
  await cluster.note({ fleet });
  await cluster.stopHostProcess(processName, stopMs);
}

/** Whether the host's keeld runs. It may not answer yet. */
export async function hostDaemonRuns(cluster: LocalCluster): Promise<boolean> {
  return (await cluster.hostProcess(processName)).length > 0;
}

async function startProcess({ cluster, tree }: HostDaemonNeeds, dashboardPort: number): Promise<void> {
  const file = join(await cluster.dataFolder(processName), "keeld.json");
  const configuration = hostConfiguration({
    cluster: cluster.name,
    address: await cluster.hostAddress(),
    dashboardPort,
    dashboard: tree.dashboard,
    storeFolder: await cluster.dataFolder("store"),
    stateFolder: await cluster.dataFolder("state"),
    runtimeFolder: cluster.runtimeFolder,
    fleet: parseFleetAddress((await cluster.record())?.notes.fleet ?? "off"),
  });
  await writeFile(file, `${JSON.stringify(configuration, undefined, 2)}\n`, { mode: 0o600 });
  await cluster.note({ dashboardPort: String(dashboardPort) });
  // What a killed keeld left of its scope goes first.
  await cluster.stopHostProcess(processName, 0);
  await cluster.startHostProcess({
    name: processName,
    argv: [join(tree.program, "node"), join(tree.program, "keeld.js"), "--config", file],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", NODE_ENV: "production" },
    cwd: "/",
  });
}

/** Resolves when keeld answers and has its store. Throws KEEL-601 with its last words when it ends. */
async function answers(cluster: LocalCluster, client: DaemonClient, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  for (let seen = false; ;) {
    signal.throwIfAborted();
    const answer = await client.within(2000).health().catch(toKeelError);
    if (!(answer instanceof KeelError) && answer.contact.hasContact) return;
    const runs = await hostDaemonRuns(cluster);
    const waited = performance.now() - started;
    // A process that was just started may not be there yet; one that was seen and is gone has ended.
    if ((!runs && (seen || waited > startMs)) || waited > answerMs) {
      const words = await lastWords(cluster);
      throw new KeelError("KEEL-601", `the host's keeld ${runs ? "has no store" : "has ended"}${words}`, {
        hint: `its log is in ${cluster.hostLog(processName)}`,
      });
    }
    seen ||= runs;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function lastWords(cluster: LocalCluster): Promise<string> {
  const log = await readFile(cluster.hostLog(processName), "utf8").catch(() => "");
  const lines = log.trim().split("\n").slice(-5);
  return lines.join("") === "" ? "" : `:\n${lines.join("\n")}`;
}
