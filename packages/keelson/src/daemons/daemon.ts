// One keeld: the roles of its configuration, wired together. Wiring only; each role is imported when it is
// asked for, so that a machine without it does not pay for it.
// Invariants: no role waits for the store to be there; what fails to start is tried again; closing leaves the
// units and the lease as they are.
import { join } from "node:path";
import { Authority } from "../authority/authority.ts";
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Configuration, Role } from "../base/configuration.ts";
import { describeError, KeelError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log, LogFields } from "../base/log.ts";
import { Metrics } from "../base/metrics.ts";
import type { Random } from "../base/random.ts";
import type { Agent } from "../agent/agent.ts";
import type { RunningRestore } from "../backup/running-restore.ts";
import { readFacts } from "../host/facts.ts";
import type { HostFacts } from "../host/host.ts";
import type { UpdateServer } from "../update-server/update-server.ts";
import type { LinuxHost } from "../host/linux-host.ts";
import type { Leader } from "../leader/leader.ts";
import { keys } from "../model/keys.ts";
import { BodyCache } from "../registry/body-cache.ts";
import { ClusterView } from "../registry/cluster-view.ts";
import { EtcdStore } from "../registry/etcd-store.ts";
import type { MachineSession } from "../registry/machine-session.ts";
import { StoreRecords } from "../registry/store-records.ts";
import { careForStore } from "../store-cluster/caretaker.ts";
import { follow, seekLostStore } from "../store-cluster/follower.ts";
import { unfinishedMove } from "../store-cluster/move-memory.ts";
import { issue } from "../store-cluster/issuer.ts";
import { StoreService } from "../store-cluster/service.ts";
import { contactOf } from "./contact.ts";
import { openDiscovery } from "./discovery-place.ts";
import { openStorePlace } from "./store-place.ts";
import type { StorePlace } from "./store-place.ts";

export interface DaemonOptions {
  readonly configuration: Configuration;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where systemd has put this daemon's credentials. */
  readonly credentialsDirectory?: string;
}

/** How long this daemon's own client may take to find a restored store. */
const restoredAnswerMs = 10_000;

export class Daemon implements AsyncDisposable {
  readonly #options: DaemonOptions;
  readonly #lifetime: Lifetime;
  readonly #facts: HostFacts;
  readonly #place: StorePlace;
  readonly #store: EtcdStore;
  readonly #records: StoreRecords;
  readonly #storeService: StoreService;
  readonly #bodies: BodyCache;
  /** Watched for as long as the daemon lives: the leader's candidate and the agent know the machines from it. */
  readonly #machines: ClusterView;
  readonly #metrics = new Metrics();
  #storeRestore: RunningRestore | undefined;
  #host: LinuxHost | undefined;
  #agent: Agent | undefined;
  #session: MachineSession | undefined;
  #leader: Leader | undefined;
  #updates: UpdateServer | undefined;
  #metadata: Configuration["metadata"];

  private constructor(options: DaemonOptions, facts: HostFacts, place: StorePlace) {
    const { configuration, clock, random, log, version } = options;
    this.#options = options;
    this.#metadata = configuration.metadata;
    this.#facts = facts;
    this.#lifetime = new Lifetime(log);
    this.#place = place;
    this.#store = this.#lifetime.own(new EtcdStore({ ...place.access, clock, random, log }));
    this.#records = this.#lifetime.own(StoreRecords.open(this.#store, { clock, random, log }));
    this.#bodies = new BodyCache(this.#store);
    const view = { scope: "machines", log, clock, random, signal: this.#lifetime.signal } as const;
    this.#machines = this.#lifetime.own(ClusterView.open(this.#store, view));
    this.#storeService = new StoreService({
      ...this.#aroundStore,
      cluster: configuration.cluster,
      stateDir: configuration.stateDir,
      version,
      machines: this.#machines,
      openDiscovery: (size) => openDiscovery({ configuration, store: this.#store, clock, log }, size),
      signal: this.#lifetime.signal,
    });
  }

  /** Starts all roles. Rejects when the configuration cannot be carried out: a port is taken, say. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const place = await openStorePlace(options.configuration, options);
    const daemon = new Daemon(options, await readFacts(), place);
    try {
      daemon.#followStore();
      for (const role of ["store", "api", "agent", "leader", "updates"] as const) await daemon.#start(role);
      await daemon.#startDiscovery();
      await daemon.#startBackups();
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
    return daemon;
  }

  /** Ends the daemon. The machine's own shutdown takes the units and the lease along; nothing else does. */
  async stop(): Promise<void> {
    const isShutdown = await this.#host?.isShuttingDown().catch(() => false);
    if (isShutdown === true && this.#agent !== undefined) {
      const hasLeft = await this.#agent.leave(7000);
      this.#options.log.info("the machine shuts down", { lease: hasLeft ? "given up" : "left to run out" });
    }
    await this[Symbol.asyncDispose]();
  }

  /** Takes up what may change while it runs: the metadata. Listeners, roles and units are left alone. */
  reload({ metadata }: Configuration): void {
    this.#metadata = metadata;
    this.#session?.changeMetadata(metadata);
  }

  /** How things stand, for the log. */
  describe(): LogFields {
    return {
      machine: this.#facts.machineId,
      roles: this.#options.configuration.roles,
      isLeading: this.#leader?.isLeading ?? false,
      units: this.#agent?.units ?? 0,
      registered:
        this.#session !== undefined && this.#session.problem === "" && this.#session.renewal !== undefined,
      problem: this.#session?.problem ?? "",
      storeHeardMsAgo: Math.round(this.#options.clock.now() - (this.#store.lastHeardMs ?? -Infinity)),
      memory: process.memoryUsage().rss,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #start(role: Role): Promise<void> {
    if (!this.#options.configuration.roles.includes(role)) return;
    switch (role) {
      case "store":
        return this.#startStore();
      case "api":
        return this.#startApi();
      case "agent":
        return this.#startAgent();
      case "leader":
        return this.#startLeader();
      case "updates":
        return this.#startUpdates();
    }
  }

  get #aroundStore() {
    const { configuration, clock, random, log } = this.#options;
    const { file, identity } = this.#place;
    const machine = this.#facts.machineId;
    const configured = configuration.store.endpoints;
    const place = { file, identity, machine, configured };
    return { store: this.#store, records: this.#records, ...place, clock, random, log };
  }

  #followStore(): void {
    const { configuration, clock } = this.#options;
    this.#lifetime.run("store follower", (signal) => follow(this.#aroundStore, signal));
    this.#lifetime.run("search for the store", (signal) => seekLostStore(this.#aroundStore, signal));
    const folder = join(configuration.stateDir, "authority");
    const authority = () => Authority.open(folder, clock);
    this.#lifetime.run("certificate issuer", (signal) => issue({ ...this.#aroundStore, authority }, signal));
  }

  async #startStore(): Promise<void> {
    const { EmbeddedStore } = await import("./embedded-store.ts");
    const { configuration } = this.#options;
    const log = this.#options.log.with({ role: "store" });
    const embedded = this.#lifetime.own(new EmbeddedStore({ configuration, name: this.#name, log }));
    await embedded.settle();
    // An empty store beside the real one would take in machines that know of no other.
    const isElsewhere = this.#place.file.location?.kind === "etcd";
    const isMoving = (await unfinishedMove(configuration.stateDir)) !== undefined;
    if (isElsewhere && !isMoving) await embedded.giveUp();
    else if (!isElsewhere || embedded.hasData) await embedded.start();
    if (!embedded.hasData) log.info("the store is elsewhere, and its former data are gone");
    this.#storeService.embed(embedded);
    const { RunningRestore } = await import("../backup/running-restore.ts");
    const answers = async (signal: AbortSignal): Promise<void> => {
      await this.#store.range({ key: keys.storeLocation }, { signal, timeoutMs: restoredAnswerMs });
    };
    const { clock, random } = this.#options;
    this.#storeRestore = new RunningRestore({ place: embedded, answers, clock, random, log });
    this.#lifetime.run("unfinished move", (signal) => this.#storeService.settle(signal));
  }

  async #startApi(): Promise<void> {
    const { startApi } = await import("../api/api.ts");
    const { configuration, version, clock, random, log } = this.#options;
    const leaseMs = configuration.leaseSeconds * 1000;
    const promise = (): void => this.#machines.interrupt();
    const contact = () => contactOf(this.#store.lastHeardMs, { clock, leaseMs, promise });
    const api = await startApi({
      configuration,
      machine: {
        id: this.#facts.machineId,
        name: this.#name,
        address: configuration.address,
        apiPort: this.#apiPort,
      },
      version,
      store: this.#store,
      storeService: this.#storeService,
      storeKeys: this.#store.allKeys,
      backupSource: this.#store.backupSource,
      ...(this.#storeRestore === undefined ? {} : { storeRestore: this.#storeRestore }),
      updates: () => this.#updates,
      bodies: this.#bodies,
      // Without an agent nothing keeps the contact fresh; the API then asks the store when it is asked.
      ...(configuration.roles.includes("agent") ? { contact } : {}),
      log: log.with({ role: "api" }),
      clock,
      random,
      metrics: this.#metrics,
      signal: this.#lifetime.signal,
    });
    this.#lifetime.own(api);
  }

  /** The bus may come later than keeld, or go and come: it is waited for, and nothing else waits for it. */
  async #startAgent(): Promise<void> {
    const { log, clock, random } = this.#options;
    const backoff = new Backoff({ firstMs: 200, maxMs: 5000 }, random);
    try {
      await this.#openAgent();
    } catch (error) {
      log.warn("the agent does not start yet", { error: describeError(error) });
      this.#lifetime.run("agent", async (signal) => {
        while (this.#agent === undefined) {
          await clock.sleep(backoff.next(), signal);
          await this.#openAgent().catch((again: unknown) => {
            log.warn("the agent does not start yet", { error: describeError(again) });
          });
        }
      });
    }
  }

  async #startLeader(): Promise<void> {
    const { Leader } = await import("../leader/leader.ts");
    const { configuration, log } = this.#options;
    const { leaseSeconds, leaderLeaseSeconds } = configuration;
    const leader = Leader.start({
      ...this.#options,
      machine: this.#facts.machineId,
      store: this.#store,
      bodies: this.#bodies,
      machines: this.#machines,
      leaseSeconds,
      leaderLeaseSeconds,
      duty: (leadership) =>
        careForStore({
          ...this.#aroundStore,
          leadership,
          machines: this.#machines,
          graceMs: (configuration.store.replaceAfterSeconds ?? 300) * 1000,
        }),
      metrics: this.#metrics,
      log: log.with({ role: "leader" }),
      signal: this.#lifetime.signal,
    });
    this.#leader = this.#lifetime.own(leader);
  }

  /** A log that cannot be had must not take the units' agent along: it is tried again. */
  async #startUpdates(): Promise<void> {
    const { openUpdates } = await import("./update-role.ts");
    const { configuration, clock, random } = this.#options;
    const { updates } = configuration;
    if (updates === undefined) return;
    const log = this.#options.log.with({ role: "updates" });
    const around = { configuration, updates, store: this.#store, clock, random, log };
    const open = async (): Promise<void> => {
      this.#updates = await openUpdates({ ...around, lifetime: this.#lifetime });
    };
    try {
      await open();
    } catch (error) {
      if (error instanceof KeelError && error.code === "KEEL-106") throw error;
      log.error("updates are not served yet", { error: describeError(error) });
      const backoff = new Backoff({ firstMs: 1000, maxMs: 60_000 }, random);
      this.#lifetime.run("update server", async (signal) => {
        while (this.#updates === undefined) {
          await clock.sleep(backoff.next(), signal);
          await open().catch((again: unknown) => {
            log.error("updates are not served yet", { error: describeError(again) });
          });
        }
      });
    }
  }

  async #startBackups(): Promise<void> {
    const { configuration, clock, log } = this.#options;
    if (configuration.backup === undefined) return;
    const { parseSchedule } = await import("../backup/schedule.ts");
    const { runBackups } = await import("../backup/backup-loop.ts");
    parseSchedule(configuration.backup.schedule);
    const options = {
      ...configuration.backup,
      source: this.#store.backupSource,
      cluster: configuration.cluster,
      clock,
      log: log.with({ role: "backup" }),
      metrics: this.#metrics,
    };
    this.#lifetime.run("backups", (signal) => runBackups(options, signal));
  }

  async #startDiscovery(): Promise<void> {
    const { configuration, clock, log } = this.#options;
    if (configuration.discovery === undefined) return;
    const { DiscoveryService } = await import("../discovery/service.ts");
    const { listen, publicUrl, tokenSeconds } = configuration.discovery;
    const service = await DiscoveryService.start({
      keys: this.#store.keys,
      listen,
      publicUrl,
      limits: { tokenSeconds },
      clock,
      log: log.with({ role: "discovery" }),
    });
    this.#lifetime.own(service);
  }

  async #openAgent(): Promise<void> {
    const { openAgent } = await import("./agent-role.ts");
    const { host, agent, session } = await openAgent({
      ...this.#options,
      configuration: { ...this.#options.configuration, metadata: this.#metadata },
      store: this.#store,
      records: this.#records,
      bodies: this.#bodies,
      machines: this.#machines,
      facts: this.#facts,
      name: this.#name,
      apiPort: this.#apiPort,
      lifetime: this.#lifetime,
    });
    this.#host = host;
    this.#agent = agent;
    this.#session = session;
  }

  get #name(): string {
    return this.#options.configuration.name ?? this.#facts.hostname;
  }

  /** The port under which other machines reach this one's API; 0 when they cannot. */
  get #apiPort(): number {
    const { roles, api, address } = this.#options.configuration;
    if (!roles.includes("api")) return 0;
    const reachable = new Set(["0.0.0.0", "::", address]);
    return api.listen.find(({ host }) => reachable.has(host))?.port ?? 0;
  }
}
