// Wires the parts of the server together. Everything that it serves stands in two tables: gRPC services by name,
// and pages of HTTP/1.1 by path.

import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import { EtcdError } from "../errors.ts";
import type { KeysStore } from "../rest/keys-store.ts";
import { Access, guardedServices } from "./auth/access.ts";
import { subjectOf } from "./auth/changes.ts";
import { Passwords } from "./auth/passwords.ts";
import { tokenProvider } from "./auth/token-options.ts";
import { AutoCompaction } from "./auto-compaction.ts";
import { ResponseHeaders } from "./headers.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LEAST_TTL } from "./lessor.ts";
import { ServerMetrics } from "./metrics/server-metrics.ts";
import {
  DEFAULT_LIMITS,
  REQUEST_OVERHEAD_BYTES,
  type EtcdServerOptions,
  type ListenOptions,
} from "./options.ts";
import { authService } from "./services/auth.ts";
import { clusterService } from "./services/cluster.ts";
import type { ServiceContext } from "./services/context.ts";
import { electionService } from "./services/election.ts";
import { handoverService } from "./services/handover.ts";
import { healthService } from "./services/health.ts";
import { kvService } from "./services/kv.ts";
import { leaseService } from "./services/lease.ts";
import { lockService } from "./services/lock.ts";
import { maintenanceService } from "./services/maintenance.ts";
import { PROGRESS_INTERVAL_MS, watchService } from "./services/watch.ts";
import { Store } from "./store.ts";
import type { Method } from "./transport/call.ts";
import { GrpcServer } from "./transport/grpc.ts";
import { DEFAULT_TRANSPORT_LIMITS } from "./transport/limits.ts";
import { Listener, type Address, type ListenerParts } from "./transport/listener.ts";
import { BasicAccess } from "./v2/basic-access.ts";
import { V2Pages } from "./v2/pages.ts";
import { WatchHub } from "./watch/hub.ts";
import { Web } from "./web.ts";

/** How a server is doing. */
export interface EtcdServerStatus {
  readonly revision: number;
  readonly keys: number;
  readonly leases: number;
  /** Bytes of the data directory. */
  readonly bytes: number;
  /** Why writes are refused, if they are. */
  readonly failure: EtcdError | undefined;
}

/** A single-node etcd v3 server in this process, durable in its directory. */
export class EtcdServer implements AsyncDisposable {
  readonly #store: Store;
  readonly #leases: LeaseKeeper;
  readonly #compaction: AutoCompaction | undefined;
  readonly #grpc: GrpcServer;
  readonly #web: Web;
  readonly #v2: V2Pages;
  readonly #passwords: Passwords;
  readonly #listeners: readonly Listener[];
  readonly #pages: readonly Listener[];
  readonly #monitors: readonly Listener[];
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    store: Store;
    leases: LeaseKeeper;
    compaction: AutoCompaction | undefined;
    grpc: GrpcServer;
    web: Web;
    v2: V2Pages;
    passwords: Passwords;
    listeners: readonly Listener[];
    pages: readonly Listener[];
    monitors: readonly Listener[];
  }) {
    this.#store = parts.store;
    this.#leases = parts.leases;
    this.#compaction = parts.compaction;
    this.#grpc = parts.grpc;
    this.#web = parts.web;
    this.#v2 = parts.v2;
    this.#passwords = parts.passwords;
    this.#listeners = parts.listeners;
    this.#pages = parts.pages;
    this.#monitors = parts.monitors;
  }

  /**
   * Recovers the directory and listens. Throws STORE_IN_USE, STORE_DAMAGED or STORE_IO for the directory, and
   * UNAVAILABLE if an address cannot be used, INVALID_ARGUMENT for certificates that cannot; nothing is left open
   * then.
   */
  static async start(options: EtcdServerOptions): Promise<EtcdServer> {
    const { clock = performance, log = () => undefined, random = Math.random } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const transport = { ...DEFAULT_TRANSPORT_LIMITS, ...options.transport };
    const randomId = (): bigint => randomBits(random);
    const metrics = new ServerMetrics(options.metrics ?? "basic");
    const onWritten = (milliseconds: number): void => metrics.written(milliseconds);
    await using opened = new AsyncDisposableStack();
    const store = opened.use(
      await Store.open({
        dataDir: options.dataDir,
        walDir: options.walDir,
        limits,
        randomId,
        log,
        onWritten,
      }),
    );
    const leases = opened.use(new LeaseKeeper(store, { clock, log }));
    const hub = new WatchHub(store.keyspace);
    const { auth } = store;
    const tokens = tokenProvider(auth, options.auth ?? {}, clock);
    const passwords = opened.use(new Passwords(options.auth?.bcryptCost));
    store.listen({
      applied: (change) => {
        leases.applied(change);
        if (change.kind === "auth") {
          tokens.applied(change.request);
          log("info", "users or rights were changed", {
            change: change.request.name,
            ...subjectOf(change.request),
            by: change.by?.user ?? "",
          });
        }
        metrics.applied(change);
        hub.changed();
      },
    });
    const listeners: Listener[] = [];
    const clientUrls = (): readonly string[] =>
      options.advertiseClientUrls ?? listeners.map(({ address }) => address.url);
    const mostMessageBytes = limits.maxRequestBytes + REQUEST_OVERHEAD_BYTES;
    const headers = new ResponseHeaders(store.clusterId, store.memberId);
    const byCertificate = options.listen.some(({ tls }) => tls?.clientCertAuth === true);
    const access = new Access({
      auth,
      leases: store.keyspace.leases,
      tokens,
      byCertificate,
    });
    const context: ServiceContext = {
      store,
      access,
      header: (revision) => headers.at(revision, store.term),
    };
    const { leastLeaseTtl: leastTtl = LEAST_TTL, watchProgressMs: progressMs = PROGRESS_INTERVAL_MS } =
      options;
    const name = options.name ?? "default";
    const peerUrls = (): readonly string[] => store.peerUrls ?? options.peerUrls ?? [];
    const membership = { name, clientUrls, peerUrls };
    const open = new Map<string, Readonly<Record<string, Method>>>([
      ["etcdserverpb.KV", kvService(context, limits)],
      [
        "etcdserverpb.Watch",
        watchService(context, { hub, fragmentBytes: mostMessageBytes, progressMs, jitter: random }),
      ],
      ["etcdserverpb.Lease", leaseService(context, { keeper: leases, leastTtl, randomId })],
      ["etcdserverpb.Cluster", clusterService(context, membership)],
      ["etcdserverpb.Maintenance", maintenanceService(context, membership)],
      ["keelson.etcd.Handover", handoverService(context, limits)],
      ["etcdserverpb.Auth", authService(context, { tokens, passwords, log })],
    ]);
    const services = new Map(guardedServices(open, access));
    services.set("v3lockpb.Lock", lockService(services));
    services.set("v3electionpb.Election", electionService(services));
    services.set("grpc.health.v1.Health", healthService());
    const counted = metrics.count(services);
    const grpcOptions = { mostMessageBytes, limits: transport, now: () => clock.now() };
    const grpc = new GrpcServer({ services: counted, ...grpcOptions });
    const mostOps = limits.maxTxnOps;
    const v2 = opened.use(
      new V2Pages({
        store,
        leases,
        hub,
        mostOps,
        randomId,
        name,
        clientUrls,
        peerUrls,
        access: new BasicAccess(auth, passwords),
      }),
    );
    const web = new Web({
      services: counted,
      mostMessageBytes,
      mostCalls: transport.streams,
      measured: { store, leases, hub, quotaBytes: limits.quotaBytes },
      metrics,
      cors: options.cors ?? [],
      hosts: options.hosts ?? [],
      usesCertificates: () => auth.enabled && byCertificate,
      gateway: options.gateway ?? true,
      pages: v2.table,
    });
    opened.defer(() => web.close(EtcdError.refusal("SERVER_STOPPED")));
    const monitored = new GrpcServer({ services: new Map(), ...grpcOptions });
    const listen = async (addresses: readonly ListenOptions[], parts: ListenerParts): Promise<Listener[]> => {
      const opening: Listener[] = [];
      for (const address of addresses) {
        const listener = await Listener.open(address, parts).catch((cause: unknown) => {
          if (cause instanceof EtcdError) throw cause;
          const reason = cause instanceof Error ? cause.message : String(cause);
          throw new EtcdError("UNAVAILABLE", `cannot listen: ${reason}`, { cause });
        });
        opened.defer(() => listener.close());
        opening.push(listener);
      }
      return opening;
    };
    const { connections } = transport;
    const parts = { grpc, http: web.forClients, connections, log };
    const { httpListen = [], metricsListen = [] } = options;
    const monitors = await listen(metricsListen, { ...parts, grpc: monitored, http: web.forMonitoring });
    const pages = await listen(httpListen, { ...parts, grpc: monitored });
    const forCalls = httpListen.length === 0 ? parts : { ...parts, http: hangUp };
    listeners.push(...(await listen(options.listen, forCalls)));
    const compaction =
      options.autoCompaction && opened.use(new AutoCompaction(options.autoCompaction, { store, clock, log }));
    opened.move();
    return new EtcdServer({
      store,
      leases,
      compaction,
      grpc,
      web,
      v2,
      passwords,
      listeners,
      pages,
      monitors,
    });
  }

  /** Where it listens, with the ports that it got. */
  get addresses(): readonly Address[] {
    return this.#listeners.map(({ address }) => address);
  }

  /** Where it listens for HTTP alone. */
  get httpAddresses(): readonly Address[] {
    return this.#pages.map(({ address }) => address);
  }

  /** Where it listens for monitoring alone. */
  get metricsAddresses(): readonly Address[] {
    return this.#monitors.map(({ address }) => address);
  }

  /** The store as the REST keys API sees it: for services of the same process. */
  get keys(): KeysStore {
    return this.#v2.store;
  }

  get status(): EtcdServerStatus {
    const { keyspace, bytes, failure } = this.#store;
    const { revision, liveKeys, leases } = keyspace;
    return { revision, keys: liveKeys, leases: leases.size, bytes, failure };
  }

  /** Answers what is under way, ends all streams and connections, and lets go of the directory. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const listeners = [...this.#listeners, ...this.#pages, ...this.#monitors];
    for (const listener of listeners) listener.stop();
    this.#compaction?.[Symbol.dispose]();
    this.#web.close(EtcdError.refusal("SERVER_STOPPED"));
    this.#v2[Symbol.dispose]();
    await this.#passwords[Symbol.asyncDispose]();
    await this.#grpc.close(EtcdError.refusal("SERVER_STOPPED"));
    this.#leases[Symbol.dispose]();
    for (const listener of listeners) await listener.close();
    await this.#store[Symbol.asyncDispose]();
  }
}

/** Where only gRPC is served, who speaks HTTP/1.1 gets no answer. */
function hangUp(request: IncomingMessage): void {
  request.socket.destroy();
}

function randomBits(random: () => number): bigint {
  const part = (): bigint => BigInt(Math.floor(random() * 2 ** 32));
  return (part() << 32n) | part();
}
