// The host's own keeld: the cluster's store and the API that `keel` speaks to.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import type { LocalCluster } from "../../local/cluster.ts";
import type { MachineTree } from "../../local/tree/machine-tree.ts";
import type { DaemonClient } from "../daemon-client.ts";
import { firstDashboardPort, hostConfiguration } from "./configurations.ts";
import { firstFreePort } from "./free-port.ts";

const processName = "keeld";

/** Starts the host's keeld unless it runs. Resolves when the process is there; it may not answer yet. */
export async function startHostDaemon(
  cluster: LocalCluster,
  tree: MachineTree,
): Promise<"started" | "running"> {
  if ((await cluster.hostProcess(processName)).length > 0) return "running";
  const { name } = cluster;
  const file = join(await cluster.dataFolder(processName), "keeld.json");
  const configuration = hostConfiguration({
    cluster: name,
    address: await cluster.hostAddress(),
    dashboardPort: await dashboardPort(cluster),
    dashboard: tree.dashboard,
    storeFolder: await cluster.dataFolder("store"),
    stateFolder: await cluster.dataFolder("state"),
    runtimeFolder: cluster.runtimeFolder,
  });
  await writeFile(file, `${JSON.stringify(configuration, undefined, 2)}\n`, { mode: 0o600 });
  // What a killed keeld left of its scope goes first.
  await cluster.stopHostProcess(processName, 0);
  await cluster.startHostProcess({
    name: processName,
    argv: [join(tree.program, "node"), join(tree.program, "keeld.js"), "--config", file],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", NODE_ENV: "production" },
    cwd: "/",
  });
  return "started";
}

/** Waits until the host's keeld answers and has its store. Throws KEEL-601 with its last words when it ends. */
export async function hostDaemonAnswers(
  cluster: LocalCluster,
  client: DaemonClient,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + 30_000;
  for (;;) {
    signal.throwIfAborted();
    try {
      if ((await client.within(2000).health()).contact.hasContact) return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    if ((await cluster.hostProcess(processName)).length === 0 || performance.now() > end) {
      throw new KeelError("KEEL-601", `the host's keeld does not answer:\n${await lastWords(cluster)}`, {
        hint: `its log is in ${cluster.hostLog(processName)}`,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function lastWords(cluster: LocalCluster): Promise<string> {
  const log = await readFile(cluster.hostLog(processName), "utf8").catch(() => "");
  return log.trim().split("\n").slice(-8).join("\n");
}

/** The port that the dashboard had before if it is still free, so that bookmarks last. */
async function dashboardPort(cluster: LocalCluster): Promise<number> {
  const before = Number((await cluster.record())?.notes.dashboardPort ?? 0);
  const port = await firstFreePort("127.0.0.1", before === 0 ? firstDashboardPort : before);
  await cluster.note({ dashboardPort: String(port) });
  return port;
}
