// keeld's HTTP interface: a Unix socket over which changes are made, TCP listeners that only read, and doors of
// fleet's API alone.
// daemons/ starts it. Invariants: no change without a plan that the guards let pass; no answer to a change
// before this API's own view shows it; a listener on TCP changes nothing, unless
// the configuration opens one for fleetctl; whatever comes in is bounded.
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../base/configuration.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Random } from "../base/random.ts";
import type { BackupSource, StoreRestore } from "../model/backup.ts";
import type { UpdateFleet } from "../model/update-overview.ts";
import type { StoreKeys } from "../model/stored-key.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import type { StoreClient } from "../registry/store-client.ts";
import type { StoreService } from "../store-cluster/service.ts";
import { ClusterView } from "../registry/cluster-view.ts";
import { ArchiveStore } from "./archive/archive-store.ts";
import { ClusterReader } from "./cluster-reader.ts";
import type { ApiContext } from "./context.ts";
import { ChangeFeed } from "./events/change-feed.ts";
import { EventLog } from "./events/event-log.ts";
import { Listener } from "./listener.ts";
import type { ListenerOptions } from "./listener.ts";
import { openFleetDoors } from "./fleet/doors.ts";
import type { FleetPlaces } from "./fleet/doors.ts";
import { createRoutes } from "./routes.ts";
import { SharedView } from "./shared-view.ts";
import { SurvivabilityWatch } from "./survivability-watch.ts";
import { Slots } from "./slots.ts";

export interface ApiOptions {
  readonly configuration: Configuration;
  /** This machine. */
  readonly machine: ApiMachine;
  readonly version: string;
  readonly store: StoreClient;
  /** The store as a subject of its own; without it the API knows nothing of members and moves. */
  readonly storeService?: StoreService;
  readonly bodies: BodyCache;
  /** All keys of the store, for people; without it they are not served. */
  readonly storeKeys?: StoreKeys;
  /** The store as a whole, for backups; without it it is not handed out. */
  readonly backupSource?: BackupSource;
  /** The embedded store of this daemon, to be restored; without it there is none. */
  readonly storeRestore?: StoreRestore;
  /** The update service's fleet, while this daemon serves updates. */
  readonly updates?: () => UpdateFleet | undefined;
  /** When the store last answered this machine; the API asks the store itself when it is left out. */
  readonly contact?: () => { readonly hasContact: boolean; readonly ageMs: number | null };
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Ends the API. */
  readonly signal?: AbortSignal;
  /** Closes the view of the whole cluster after this long without use. 60 s unless given. */
  readonly viewIdleMs?: number;
  /** Most event and progress streams at a time. 64 unless given. */
  readonly maxStreams?: number;
  /** Between two signs of life of an event stream. 10 s unless given. */
  readonly heartbeatMs?: number;
}

export interface ApiMachine {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** The port under which others reach its reading API: in the holders of images. */
  readonly apiPort: number;
}

export interface Api extends AsyncDisposable {
  readonly socket: string;
  /** Where it listens on TCP, with the ports that were taken. */
  readonly listening: readonly { readonly host: string; readonly port: number }[];
  /** The doors of fleet's API alone. */
  readonly fleet: FleetPlaces;
}

/** Starts the listeners. KEEL-106 when one of them is taken; nothing listens then. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { configuration, machine, log, clock } = options;
  const { cluster, api, stateDir } = configuration;
  const lifetime = new Lifetime(log, options.signal);
  const { store, bodies, random } = options;
  const openView = (): ClusterView => ClusterView.open(store, { scope: "all", log, clock, random });
  const views = lifetime.own(new SharedView(openView, clock, options.viewIdleMs ?? 60_000));
  const reader = new ClusterReader({
    cluster,
    bodies,
    clock,
    log,
    leaseMs: configuration.leaseSeconds * 1000,
  });
  const history = lifetime.own(
    new EventLog({ store, clock, random, log, idleMs: options.viewIdleMs ?? 60_000 }),
  );
  const archives = new ArchiveStore(stateDir, random);
  const context: ApiContext = {
    options,
    views,
    reader,
    feed: new ChangeFeed(reader, clock),
    history,
    survivability: lifetime.own(new SurvivabilityWatch(reader, clock, log)),
    archives,
    streams: new Slots("streams", options.maxStreams ?? 64),
    changes: new Slots("changes under way", 64),
    uploads: new Slots("uploads", 2),
    signal: lifetime.signal,
  };
  const names = new Set([machine.name.toLowerCase(), `${machine.name}.${cluster}`.toLowerCase()]);
  const routes = createRoutes(context);
  const listenerOptions: ListenerOptions = { answer: routes.own, names, log };
  const listening: { host: string; port: number }[] = [];
  let fleet: Api["fleet"] = { socket: undefined, tcp: [] };
  try {
    await archives.clean();
    for (const address of api.listen) {
      const listener = lifetime.own(await Listener.onTcp(address, listenerOptions));
      listening.push({ host: address.host, port: listener.port });
    }
    lifetime.own(await Listener.onSocket(api.socket, listenerOptions));
    const doors = await openFleetDoors(configuration, { answer: routes.fleet, names, log });
    for (const door of doors.listeners) lifetime.own(door);
    fleet = doors.listening;
  } catch (error) {
    await lifetime.close();
    throw error;
  }
  log.info("the api listens", {
    socket: api.socket,
    tcp: listening.map(({ host, port }) => `${host}:${port}`),
    fleet: [
      ...(fleet.socket === undefined ? [] : [fleet.socket]),
      ...fleet.tcp.map(({ host, port }) => `${host}:${port}`),
    ],
  });
  return { socket: api.socket, listening, fleet, [Symbol.asyncDispose]: () => lifetime.close() };
}
