// Where the members of a new cluster find each other: Keelson's discovery service, for as long as it takes.
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../base/configuration.ts";
import type { Log } from "../base/log.ts";
import { DiscoveryService } from "../discovery/service.ts";
import type { EtcdStore } from "../registry/etcd-store.ts";
import type { Discovery } from "../store-cluster/growth.ts";

/** Members that have not come by then do not come any more. */
const tokenSeconds = 900;

export interface DiscoveryPlace {
  readonly configuration: Configuration;
  readonly store: EtcdStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** Listens on a free port of this machine's address, with a token for a cluster of this size. */
export async function openDiscovery(place: DiscoveryPlace, size: number): Promise<Discovery> {
  const { configuration, store, clock, log } = place;
  const service = await DiscoveryService.start({
    keys: store.keys,
    listen: [{ host: configuration.address, port: 0 }],
    limits: { tokenSeconds },
    clock,
    log,
  });
  try {
    const { url } = await service.mint(size);
    return { url, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw error;
  }
}
