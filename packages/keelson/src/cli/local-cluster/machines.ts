// Machines of a local cluster: made with the configuration that their keeld finds, and waited for.
import { totalmem } from "node:os";
import { KeelError } from "../../base/errors.ts";
import type { MachineView } from "../../api/wire/machine.ts";
import type { LocalCluster } from "../../local/cluster.ts";
import type { MachineProvider } from "../../local/machine-provider.ts";
import type { DaemonClient } from "../daemon/client.ts";
import type { Step } from "../progress.ts";
import { machineConfiguration } from "./configurations.ts";

/** Makes a machine of the cluster, one of `count` that share the host's memory. It does not run yet. */
export async function createMachine(
  cluster: LocalCluster,
  provider: MachineProvider,
  { name, client, count }: { readonly name: string; readonly client: DaemonClient; readonly count: number },
): Promise<void> {
  // Each container sees all of the host's memory; a virtual machine knows its own.
  const memoryBytes = provider.kind === "nspawn" ? Math.floor(totalmem() / count) : undefined;
  const hostAddress = await cluster.hostAddress();
  await provider.create({
    name,
    async credentials({ address, machineId }) {
      const configuration = machineConfiguration({
        cluster: cluster.name,
        name,
        address,
        hostAddress,
        memoryBytes,
        slowness: provider.slowness,
      });
      const store = await storeCredentials(client, machineId);
      return {
        "keelson.config": JSON.stringify(configuration),
        ...(store === undefined ? {} : { "keelson.store": JSON.stringify(store) }),
      };
    },
  });
}

/** What a machine needs for a store that has moved; nothing while there is no daemon yet, since nothing has moved then. */
async function storeCredentials(client: DaemonClient, machineId: string): Promise<unknown> {
  try {
    return await client.store.newcomerCredentials(machineId);
  } catch (error) {
    if (error instanceof KeelError && error.code === "KEEL-601") return undefined;
    throw error;
  }
}

/** m1 … mN. */
export function machineNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `m${i + 1}`);
}

/** The first of m1, m2, … that is not taken. */
export function nextMachineName(taken: readonly string[]): string {
  for (let i = 1; ; i++) if (!taken.includes(`m${i}`)) return `m${i}`;
}

/**
 * Waits until these machines are in the cluster. Throws KEEL-303 for those that are not after `timeoutMs`.
 */
export async function machinesJoined(
  names: readonly string[],
  client: DaemonClient,
  wait: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly step?: Step },
): Promise<readonly MachineView[]> {
  const end = performance.now() + wait.timeoutMs;
  for (;;) {
    wait.signal.throwIfAborted();
    const up = await machinesUp(client);
    const missing = names.filter((name) => !up.some((machine) => machine.name === name));
    if (missing.length === 0) return up;
    wait.step?.update(`waiting for ${missing.join(", ")}`);
    if (performance.now() > end) {
      throw new KeelError(
        "KEEL-303",
        `${missing.join(", ")} did not join the cluster within ${wait.timeoutMs / 1000} s`,
        {
          hint: `\`keel machine list\` shows the states; \`keel doctor\` looks for the cause`,
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until the machine is not up any more: it gave its lease up, or the lease ended. Throws KEEL-602. */
export async function machineLeft(
  name: string,
  client: DaemonClient,
  wait: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const end = performance.now() + wait.timeoutMs;
  while ((await machinesUp(client)).some((machine) => machine.name === name)) {
    wait.signal.throwIfAborted();
    if (performance.now() > end) throw new KeelError("KEEL-602", `the cluster still counts on ${name}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function machinesUp(client: DaemonClient): Promise<readonly MachineView[]> {
  try {
    return (await client.within(5000).snapshot()).machines.filter((machine) => machine.state === "up");
  } catch (error) {
    if (error instanceof KeelError && (error.code === "KEEL-401" || error.code === "KEEL-601")) return [];
    throw error;
  }
}
