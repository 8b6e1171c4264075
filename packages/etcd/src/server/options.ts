import type { TransportLimits } from "./transport/limits.ts";

/** Passes at the same rate whatever the calendar does; milliseconds from an arbitrary start. */
export interface MonotonicClock {
  now(): number;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFunction = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** What a server allows. Each has etcd's default. */
export interface ServerLimits {
  /** Bytes of one write request. 1.5 MiB. */
  readonly maxRequestBytes?: number;
  /** Operations of one transaction. 128. */
  readonly maxTxnOps?: number;
  /** Bytes of keys and history before writes are refused. 2 GiB. */
  readonly quotaBytes?: number;
  /** Changes after which a snapshot is taken and the log cut. 100,000. */
  readonly snapshotCount?: number;
}

/** A listener's certificates. Files are PEM, and are read again when they change. The names follow etcd's flags. */
export interface TlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of the clients' certificates. With it, every client must show one (as with etcd). */
  readonly trustedCaFile?: string;
  /** Every client must show a certificate; without `trustedCaFile` one that the system's authorities signed. */
  readonly clientCertAuth?: boolean;
  /** Revoked certificates, PEM or DER. Only serial numbers are looked at. */
  readonly crlFile?: string;
  /** The one common name that clients' certificates may have. Not together with `allowedHostname`. */
  readonly allowedCn?: string;
  /** The host name or address that clients' certificates must be made for. */
  readonly allowedHostname?: string;
  /** "TLS1.2". */
  readonly minVersion?: "TLS1.2" | "TLS1.3";
  /** "TLS1.3". */
  readonly maxVersion?: "TLS1.2" | "TLS1.3";
  /** IANA's names, most wanted first; those of TLS 1.2 only. By default OpenSSL's choice. */
  readonly cipherSuites?: readonly string[];
}

/**
 * Where to listen: a TCP port, of which 0 takes a free one, or a Unix socket. Without `tls` in the clear; with
 * `plainToo` both ways in one place, as each client begins.
 */
export type ListenOptions = ({ readonly host: string; readonly port: number } | { readonly path: string }) & {
  readonly tls?: TlsOptions | undefined;
  readonly plainToo?: boolean | undefined;
};

/** What of the history is kept: that of a period, or a number of revisions. As etcd's --auto-compaction-mode. */
export type AutoCompactionOptions =
  | { readonly mode: "periodic"; readonly periodMs: number }
  | { readonly mode: "revision"; readonly keepRevisions: number };

/** Users of the store: whether they are asked for is said by the AuthEnable call, not here. */
export interface AuthOptions {
  /**
   * How tokens are made, as etcd's `--auth-token` has it: "simple" (the default), or "jwt," with the options
   * sign-method, pub-key, priv-key (files in PEM) and ttl.
   */
  readonly token?: string;
  /** Seconds that an unused simple token lasts. 300. */
  readonly tokenTtl?: number;
  /** Cost of hashing a password, 4 to 31; each step doubles the time. 10. */
  readonly bcryptCost?: number;
}

export interface EtcdServerOptions {
  /** Directory for everything that the server keeps; made if it is not there. */
  readonly dataDir: string;
  /** Where the log lies, if not in the data directory: on a disk of its own. */
  readonly walDir?: string;
  /** Where to listen; see {@link EtcdServer.addresses}. */
  readonly listen: readonly ListenOptions[];
  /** Name of the member. "default". */
  readonly name?: string;
  /** URLs at which clients reach it, as MemberList tells them. By default where it listens. */
  readonly advertiseClientUrls?: readonly string[];
  /** URLs at which other members would find it, as MemberList tells them. None; nothing listens there. */
  readonly peerUrls?: readonly string[];
  /** Origins whose pages may ask over HTTP. By default all. */
  readonly cors?: readonly string[];
  /** Host names by which HTTP without TLS may call the server. By default all. */
  readonly hosts?: readonly string[];
  /** Whether to serve the JSON gateway. By default it is served. */
  readonly gateway?: boolean;
  /** Where to listen for HTTP alone. By default nowhere: HTTP is served where gRPC is, and only then. */
  readonly httpListen?: readonly ListenOptions[];
  /** Where to listen for /metrics and the health pages alone. By default nowhere besides. */
  readonly metricsListen?: readonly ListenOptions[];
  /** How history is dropped by itself. By default it is not. */
  readonly autoCompaction?: AutoCompactionOptions;
  /** Least TTL of a lease in seconds; shorter ones are lengthened to it. 2. */
  readonly leastLeaseTtl?: number;
  /** Milliseconds between the progress reports of a watch. Ten minutes. */
  readonly watchProgressMs?: number;
  /** "extensive" adds to /metrics how long each method's calls take. "basic". */
  readonly metrics?: "basic" | "extensive";
  readonly log?: LogFunction;
  readonly limits?: ServerLimits;
  readonly auth?: AuthOptions;
  /** What one client may ask; see docs/operations/store-limits.md for defaults. */
  readonly transport?: Partial<TransportLimits>;
  readonly clock?: MonotonicClock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export const DEFAULT_LIMITS: Required<ServerLimits> = {
  maxRequestBytes: 1.5 * 1024 * 1024,
  maxTxnOps: 128,
  quotaBytes: 2 * 1024 ** 3,
  snapshotCount: 100_000,
};

/** What gRPC lets a message have above {@link ServerLimits.maxRequestBytes}. */
export const REQUEST_OVERHEAD_BYTES = 512 * 1024;

/** The version whose protocol and behaviour the server has. */
export const ETCD_VERSION = "3.5.16";
export const CLUSTER_VERSION = "3.5.0";
