// A machine's part in updates of the cluster's machines, where it has two slots.
import type { Configuration } from "../base/configuration.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { HostFacts } from "../host/host.ts";
import { readOsFacts } from "../host/os-facts.ts";
import { keys } from "../model/keys.ts";
import type { StoreClient } from "../registry/store-client.ts";
import type { StoreRecords } from "../registry/store-records.ts";

export interface SystemRoleOptions {
  readonly configuration: Configuration;
  readonly store: StoreClient;
  readonly records: StoreRecords;
  readonly facts: HostFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly lifetime: Lifetime;
}

/** Serves orders about the machine's system. On a machine without slots it takes back what was said of them. */
export async function serveSystem(options: SystemRoleOptions, signal: AbortSignal): Promise<void> {
  const { store, records, facts, configuration, clock, random, log, lifetime } = options;
  const { machineId: machine, bootId } = facts;
  if ((await readOsFacts()) === undefined) return await withdraw(options, signal);
  // Most machines have no use for any of it.
  const [{ OwnSystemRecords }, { openOwnSystem }, { serveSystemOrders }] = await Promise.all([
    import("../system-orders/own-records.ts"),
    import("../system-orders/own-system.ts"),
    import("../system-orders/machine-system.ts"),
  ]);
  const system = await openOwnSystem().catch((error: unknown) => {
    log.warn("this machine's system cannot be updated", { error: describeError(error) });
    return undefined;
  });
  if (system === undefined) return;
  const own = OwnSystemRecords.open(store, { machine, clock, random, log, signal: lifetime.signal });
  lifetime.own(own);
  const holdsStore = configuration.roles.includes("store");
  const keepsStore = (): boolean => holdsStore || records.order(machine)?.wanted === "run";
  await serveSystemOrders({ system, store, records: own, machine, bootId, keepsStore, clock, log }, signal);
}

async function withdraw({ store, facts, clock }: SystemRoleOptions, signal: AbortSignal): Promise<void> {
  const key = keys.systemReport(facts.machineId);
  for (let waitMs = 1000; !signal.aborted; waitMs = Math.min(60_000, waitMs * 2)) {
    try {
      const { values } = await store.range({ key, keysOnly: true }, { signal });
      if (values.length > 0) await store.txn({ compare: [], write: [{ delete: key }] }, { signal });
      return;
    } catch {
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }
}
