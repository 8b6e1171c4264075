// Every keeld's own way after the store: it gets a certificate of the store's authority, hears where the store
// is, remembers it on disk and goes there. daemons/ starts one in each keeld.
// Invariants: the location with the highest epoch wins, whatever store tells it; it is on disk before it is
// followed; without a certificate of its authority a location is not followed.
import type { Identity } from "../authority/identity.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { keys } from "../model/keys.ts";
import { locationCodec, storeClientCodec } from "../model/store.ts";
import type { StoreLocation } from "../model/store.ts";
import type { Random } from "../base/random.ts";
import { EtcdStore } from "../registry/etcd-store.ts";
import type { StoreAccess } from "../registry/etcd-store.ts";
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
  /** The store's endpoints as the configuration has them. */
  readonly configured: readonly string[];
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
}

/** A store that is not heard for this long may be elsewhere. */
const lostMs = 10_000;

/** Follows the store until the signal aborts. */
export function follow(options: FollowerOptions, signal: AbortSignal): Promise<void> {
  const { records, log } = options;
  let refused = 0;
  const refuse = (location: StoreLocation, why: string): void => {
    if (refused !== location.epoch) log.warn("the store moved, and cannot be followed", { why });
    refused = location.epoch;
  };
  return wakeful(options, signal, async () => {
    await goTo(options, records.location, refuse);
    if (records.authority === undefined) return;
    const missing = await enrol(options.identity, { ...options, use: "client", signal });
    if (missing !== undefined) log.debug("no certificate for the store yet", { missing });
    else await goTo(options, records.location, refuse);
    await tellProgress(options, signal);
  });
}

/**
 * Asks where the configuration says, whenever the store has not been heard for a while, or refuses: it may have
 * moved while this keeld was away, and what it moved from may be gone.
 */
export async function seekLostStore(options: FollowerOptions, signal: AbortSignal): Promise<void> {
  const { store, clock, random, log, configured } = options;
  for (let sinceMs = clock.now(); !signal.aborted; await clock.sleep(lostMs / 2, signal)) {
    const { sealedSinceMs, lastHeardMs = 0 } = store;
    sinceMs = sealedSinceMs ?? Math.max(sinceMs, lastHeardMs);
    if (clock.now() - sinceMs < lostMs) continue;
    await using other = new EtcdStore({ endpoints: configured, clock, random, log });
    try {
      const { values } = await other.range({ key: keys.storeLocation }, { signal, timeoutMs: 2000 });
      const told = values[0] && locationCodec.decode(keys.storeLocation, values[0].value);
      await goTo(options, told, (_location, why) => log.debug("the store is elsewhere", { why }));
    } catch (error) {
      log.debug("no word of the store where the configuration says", { error: describeError(error) });
    }
  }
}

async function tellProgress(options: FollowerOptions, signal: AbortSignal): Promise<void> {
  const { store, records, file, identity, machine } = options;
  const { authority } = identity;
  if (authority === undefined) return;
  const progress = { machine, authority, epoch: file.location?.epoch ?? 0 };
  const value = storeClientCodec.encode(progress);
  const told = records.client(machine);
  if (told !== undefined && storeClientCodec.encode(told) === value) return;
  await store.txn({ compare: [], write: [{ put: keys.storeClient(machine), value }] }, { signal });
}

async function goTo(
  { store, file, identity, log }: FollowerOptions,
  location: StoreLocation | undefined,
  refuse: (location: StoreLocation, why: string) => void,
): Promise<void> {
  if (location === undefined || location.epoch <= (file.location?.epoch ?? 0)) return;
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
