// `keel down`: removes a cluster in whatever state it is, and tells what there was.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LocalCluster } from "../../local/cluster.ts";
import { naturally } from "../unit-filter.ts";

export interface TakenDown {
  readonly cluster: string;
  /** What was there, in words: `3 machines`, `keeld on the host`. Empty for a cluster that was not there. */
  readonly removed: readonly string[];
}

/** Removes everything of the cluster. Never refuses, may be repeated. */
export async function takeDown(cluster: LocalCluster): Promise<TakenDown> {
  if (!(await cluster.exists()) && !existsSync(cluster.runtimeFolder)) {
    return { cluster: cluster.name, removed: [] };
  }
  const removed = await whatIsThere(cluster);
  await cluster.destroy();
  return { cluster: cluster.name, removed };
}

/** Names of clusters of which anything is left on this host. */
export async function localClusters(): Promise<readonly string[]> {
  const runtime = dirname(new LocalCluster("any").runtimeFolder);
  const withSocket = (await readdir(runtime).catch(() => [])).filter((name) =>
    existsSync(join(runtime, name, "api.sock")),
  );
  return [...new Set([...(await LocalCluster.list()), ...withSocket])].toSorted(naturally);
}

async function whatIsThere(cluster: LocalCluster): Promise<readonly string[]> {
  try {
    const record = await cluster.record();
    const machines = record === undefined ? [] : await (await cluster.machines()).list();
    const daemon = await cluster.hostProcess("keeld");
    return [
      ...machines.map(
        (machine) => `machine ${machine.name}${machine.state === "running" ? "" : ` (${machine.state})`}`,
      ),
      daemon.length > 0 ? "keeld on the host" : "what keeld on the host left",
      ...(record === undefined ? [] : [`network ${record.subnet}`]),
      "files and keys",
    ];
  } catch {
    // A record that cannot be read is one more thing to remove.
    return ["remains of a cluster"];
  }
}
