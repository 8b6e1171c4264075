// Every keeld's own way after the store: it gets a certificate of the store's authority, hears where the store
// is, remembers it on disk and goes there. daemons/ starts one in each keeld.
// Invariants: the location with the highest epoch wins, whatever store tells it; it is on disk before it is
// followed; without a certificate of its authority a location is not followed.
import type { Identity } from "../authority/identity.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { keys } from "../model/keys.ts";
import { storeClientCodec } from "../model/store.ts";
import type { StoreLocation } from "../model/store.ts";
import type { EtcdStore, StoreAccess } from "../registry/etcd-store.ts";
import type { StoreRecords } from "../registry/store-records.ts";
import { enrol } from "./enrolment.ts";
import type { LocationFile } from "./location-file.ts";
import { wakeful } from "./wakeful.ts";

export interface FollowerOptions {
  readonly store: EtcdStore;
  readonly records: StoreRecords;
  readonly file: LocationFile;
  readonly identity: Identity;
  /** This machine's id. */
  readonly machine: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Follows the store until the signal aborts. */
export function follow(options: FollowerOptions, signal: AbortSignal): Promise<void> {
  const { store, records, file, identity, machine, log } = options;
  let refused = 0;
  const step = async (): Promise<void> => {
    await follower(options, signal, (location, why) => {
      if (refused !== location.epoch) log.warn("the store moved, and cannot be followed", { why });
      refused = location.epoch;
    });
    const { authority } = records;
    if (authority === undefined) return;
    const missing = await enrol(identity, { store, records, machine, use: "client", signal });
    if (missing !== undefined) return log.debug("no certificate for the store yet", { missing });
    await follower(options, signal, () => undefined);
    if (records.client(machine)?.authority === authority.fingerprint) return;
    const value = storeClientCodec.encode({ machine, authority: authority.fingerprint });
    await store.txn({ compare: [], write: [{ put: keys.storeClient(machine), value }] }, { signal });
  };
  // A renewed certificate must not wait for the store to be there.
  return wakeful(options, signal, step).catch((error: unknown) => {
    log.error("the store is not followed any more", { error: describeError(error), file: file.location });
  });
}

async function follower(
  { store, records, file, identity, log }: FollowerOptions,
  signal: AbortSignal,
  refuse: (location: StoreLocation, why: string) => void,
): Promise<void> {
  const { location } = records;
  if (location === undefined || location.epoch <= (file.location?.epoch ?? 0) || signal.aborted) return;
  if (location.authority !== "" && identity.authority !== location.authority)
    return refuse(location, "this machine has no certificate of its authority");
  const before = file.location;
  await file.write(location);
  if (before !== undefined && sameAccess(before, location)) return;
  store.switchTo(accessOf(location, identity));
  log.info("follows the store", { epoch: location.epoch, endpoints: location.endpoints });
}

/** How a location is reached. */
export function accessOf(location: StoreLocation, identity: Identity): StoreAccess {
  const { endpoints, authority } = location;
  return authority === "" ? { endpoints } : { endpoints, tls: () => identity.credentials };
}

function sameAccess(a: StoreLocation, b: StoreLocation): boolean {
  return a.authority === b.authority && a.endpoints.join() === b.endpoints.join();
}
