// Where this daemon looks for the store when it starts: where it was last, or where the configuration says.
import { join } from "node:path";
import { Identity } from "../authority/identity.ts";
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../base/configuration.ts";
import type { Log } from "../base/log.ts";
import type { StoreAccess } from "../registry/etcd-store.ts";
import { accessOf } from "../store-cluster/follower.ts";
import { LocationFile } from "../store-cluster/location-file.ts";
import { takeUpNewcomer } from "../store-cluster/newcomer.ts";

export interface StorePlace {
  readonly file: LocationFile;
  /** As a client of the store. */
  readonly identity: Identity;
  readonly access: StoreAccess;
}

export async function openStorePlace(
  configuration: Configuration,
  around: {
    readonly clock: Clock;
    readonly log: Log;
    /** Where systemd has put this daemon's credentials. */
    readonly credentialsDirectory?: string;
  },
): Promise<StorePlace> {
  const { clock, log, credentialsDirectory } = around;
  const folder = join(configuration.stateDir, "store");
  const file = await LocationFile.open(join(folder, "location.json"), log);
  if (credentialsDirectory !== undefined)
    await takeUpNewcomer({ path: join(credentialsDirectory, "keelson.store"), file, folder, clock });
  const identity = await Identity.open({ folder, use: "client", clock });
  const { location } = file;
  const configured = { endpoints: configuration.store.endpoints };
  if (location === undefined) return { file, identity, access: configured };
  if (location.authority === "" || identity.authority === location.authority)
    return { file, identity, access: accessOf(location, identity) };
  log.warn("there is no certificate for the store where it was last; asks where the configuration says");
  return { file, identity, access: configured };
}
