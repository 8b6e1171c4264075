// The update server of one machine, over this cluster's store.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../base/configuration.ts";
import type { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { StoreClient } from "../registry/store-client.ts";
import { UpdateRecords } from "../registry/update-records.ts";
import { UpdateServer } from "../update-server/update-server.ts";

export interface UpdateRoleOptions {
  readonly configuration: Pick<Configuration, "address" | "stateDir">;
  readonly updates: NonNullable<Configuration["updates"]>;
  readonly store: StoreClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly lifetime: Lifetime;
}

/** Listens, and takes up what the store says of applications, packages, channels and groups as it changes. */
export async function openUpdates(options: UpdateRoleOptions): Promise<UpdateServer> {
  const { configuration, updates, store, clock, random, log, lifetime } = options;
  const { dataDir = join(configuration.stateDir, "updates"), listen } = updates;
  const { address } = configuration;
  const own = `http://${address.includes(":") ? `[${address}]` : address}:${listen.port}`;
  const server = await UpdateServer.start({
    ...updates,
    dataDir: join(dataDir, "log"),
    payloads: updates.payloads ?? join(dataDir, "payloads"),
    publicUrl: updates.publicUrl ?? own,
    clock,
    log,
  });
  lifetime.own(server);
  const onRecords = server.configure.bind(server);
  lifetime.own(UpdateRecords.open(store, { clock, random, log, onRecords, signal: lifetime.signal }));
  return server;
}
