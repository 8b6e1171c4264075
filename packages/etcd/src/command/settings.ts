// What the flags mean, taken together: the server's options, and how the command logs.

import { isIP } from "node:net";
import { join } from "node:path";
import type { AutoCompactionOptions, EtcdServerOptions, ListenOptions, TlsOptions } from "../server/index.ts";
import { FlagError } from "./flag-error.ts";
import { FLAGS } from "./flag-table.ts";
import { parseBool, parseDuration, parseInteger, splitList } from "./flag-values.ts";
import type { GivenFlags } from "./parse-flags.ts";
import { LOG_LEVELS } from "./zap-log.ts";

export interface Settings {
  readonly server: EtcdServerOptions;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logOutputs: readonly string[];
  /** The certificate to make, where --auto-tls asks for one. */
  readonly autoTls:
    | { readonly folder: string; readonly hosts: readonly string[]; readonly years: number }
    | undefined;
  /** What is worth a warning, though nothing is wrong with it. */
  readonly warnings: readonly string[];
}

const MINUTE_MS = 60_000;
const GRPC_KEEPALIVE = { interval: 120 * MINUTE_MS, timeout: 20_000 };
/** etcd's default quota, and what 0 stands for. */
const DEFAULT_QUOTA = 2n * 1024n ** 3n;
const LONGEST_ELECTION_MS = 50_000;

/** Puts flags together. Throws FlagError for what contradicts itself or cannot be. */
export function settingsOf(given: GivenFlags): Settings {
  const flags = new Flags(given);
  const name = flags.text("name");
  const warnings: string[] = [];
  checkCluster(flags, name);
  const listen = clientListeners(flags, "listen-client-urls", warnings);
  const httpListen = clientListeners(flags, "listen-client-http-urls", warnings);
  const metricsListen = metricsListeners(flags);
  if (given.has("listen-client-urls") && !given.has("advertise-client-urls")) {
    throw new FlagError("--advertise-client-urls is required when --listen-client-urls is set explicitly");
  }
  const walDir = flags.text("wal-dir");
  for (const [flag] of given) {
    const isDefault = given.get(flag) === FLAGS.get(flag)?.fallback;
    if (FLAGS.get(flag)?.support === "peers" && !isDefault)
      warnings.push(`--${flag} is accepted and has no effect: there are no other members`);
  }
  const compaction = autoCompaction(flags);
  return {
    server: {
      name,
      dataDir: dataDirOf(flags),
      ...(walDir === "" ? {} : { walDir }),
      listen,
      httpListen,
      metricsListen,
      advertiseClientUrls: flags.list("advertise-client-urls"),
      peerUrls: flags.list("initial-advertise-peer-urls"),
      cors: flags.list("cors"),
      hosts: flags.list("host-whitelist"),
      gateway: flags.bool("enable-grpc-gateway"),
      metrics: flags.oneOf("metrics", ["basic", "extensive"]),
      ...(compaction === undefined ? {} : { autoCompaction: compaction }),
      leastLeaseTtl: leastTtl(flags),
      watchProgressMs: flags.duration("experimental-watch-progress-notify-interval"),
      auth: {
        token: flags.text("auth-token"),
        tokenTtl: flags.number("auth-token-ttl"),
        bcryptCost: bcryptCost(flags),
      },
      limits: {
        maxTxnOps: flags.number("max-txn-ops"),
        maxRequestBytes: flags.number("max-request-bytes"),
        quotaBytes: quota(flags, warnings),
        snapshotCount: flags.number("snapshot-count"),
      },
      transport: {
        ...(flags.isGiven("max-concurrent-streams")
          ? { streams: flags.number("max-concurrent-streams") }
          : {}),
        keepalive: keepalive(flags),
      },
    },
    autoTls: autoTls(flags),
    logLevel: logLevel(flags),
    logOutputs: flags.list("log-outputs"),
    warnings,
  };
}

/** Values of flags, given or by default. */
class Flags {
  readonly #given: GivenFlags;

  constructor(given: GivenFlags) {
    this.#given = given;
  }

  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  text(name: string): string {
    return this.#given.get(name) ?? FLAGS.get(name)?.fallback ?? "";
  }

  list(name: string): readonly string[] {
    return splitList(this.text(name));
  }

  bool(name: string): boolean {
    return parseBool(this.text(name)) ?? false;
  }

  /** Throws FlagError above what a number can hold exactly. */
  number(name: string): number {
    const value = Number(parseInteger(this.text(name)) ?? 0n);
    if (Number.isSafeInteger(value)) return value;
    throw new FlagError(`--${name} ${this.text(name)} is more than the store can count to`);
  }

  /** Milliseconds. */
  duration(name: string): number {
    return parseDuration(this.text(name)) ?? 0;
  }

  oneOf<W extends string>(name: string, words: readonly W[]): W {
    const word = words.find((known) => known === this.text(name));
    if (word !== undefined) return word;
    throw new FlagError(`--${name} is ${words.join(" or ")}, not ${JSON.stringify(this.text(name))}`);
  }
}

/** As with etcd, what is 0 is what gRPC has by itself. */
function keepalive(flags: Flags): { minTime: number; interval: number; timeout: number } {
  const interval = flags.duration("grpc-keepalive-interval");
  const timeout = flags.duration("grpc-keepalive-timeout");
  const minTime = flags.duration("grpc-keepalive-min-time") || 5 * MINUTE_MS;
  return interval > 0 && timeout > 0 ? { minTime, interval, timeout } : { minTime, ...GRPC_KEEPALIVE };
}

function checkCluster(flags: Flags, name: string): void {
  const state = flags.text("initial-cluster-state");
  if (state !== "new")
    throw new FlagError("--initial-cluster-state existing is not supported: a store cannot join a cluster");
  const peers = flags.list("initial-advertise-peer-urls");
  for (const url of [...peers, ...flags.list("advertise-client-urls")]) {
    if (/^https?:\/\/:/.test(url)) throw new FlagError(`unexpected empty host (${url})`);
  }
  const members = flags.list("initial-cluster");
  if (members.length === 0) return;
  const names = new Set(members.map((member) => member.slice(0, Math.max(0, member.indexOf("=")))));
  if (names.size > 1) {
    throw new FlagError(
      "--initial-cluster names several members; this store has one. For more, run etcd itself: `keel store grow --members 3`",
    );
  }
  if (!names.has(name)) {
    throw new FlagError(`couldn't find local name "${name}" in the initial cluster configuration`);
  }
  const urls = members.map((member) => member.slice(member.indexOf("=") + 1)).sort();
  if (urls.join() !== [...peers].sort().join()) {
    throw new FlagError(
      `--initial-cluster has ${members.join(",")} but missing from --initial-advertise-peer-urls=${peers.join(",")}`,
    );
  }
}

/** Where to listen; http and https at one address are one place that takes both. */
function clientListeners(flags: Flags, name: string, warnings: string[]): readonly ListenOptions[] {
  const byAddress = new Map<string, ListenOptions>();
  for (const place of clientPlaces(flags, name, warnings)) {
    const key = JSON.stringify({ ...place, tls: undefined });
    const before = byAddress.get(key);
    const tls = before?.tls ?? place.tls;
    const isBoth = before !== undefined && (before.tls === undefined) !== (place.tls === undefined);
    byAddress.set(key, isBoth ? { ...place, tls, plainToo: true } : place);
  }
  return [...byAddress.values()];
}

function clientPlaces(flags: Flags, name: string, warnings: string[]): readonly ListenOptions[] {
  const tls = tlsOptions(flags);
  return flags.list(name).map((url) => {
    const isSecure = /^(?:https|unixs):/.test(url);
    if (isSecure && tls === undefined) {
      throw new FlagError(
        `TLS key/cert (--cert-file, --key-file) must be provided for client url ${url} with HTTPS scheme`,
      );
    }
    if (!isSecure && tls !== undefined) {
      warnings.push(
        `scheme is HTTP while key and cert files are presented; ignoring key and cert files (${url})`,
      );
    }
    if (!isSecure && flags.bool("client-cert-auth")) {
      warnings.push(
        `scheme is HTTP while --client-cert-auth is enabled; ignoring client cert auth for this URL (${url})`,
      );
    }
    return { ...boundAddress(url), tls: isSecure ? tls : undefined };
  });
}

function metricsListeners(flags: Flags): readonly ListenOptions[] {
  const tls = tlsOptions(flags);
  return flags.list("listen-metrics-urls").map((url) => {
    const isSecure = /^(?:https|unixs):/.test(url);
    if (isSecure && tls === undefined) {
      throw new FlagError(
        "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url",
      );
    }
    return { ...boundAddress(url), tls: isSecure ? tls : undefined };
  });
}

/** Where a URL says to listen. As etcd, no name but localhost: nobody knows what another one means tomorrow. */
function boundAddress(
  url: string,
): { readonly path: string } | { readonly host: string; readonly port: number } {
  const [, scheme = "", address = ""] = /^([a-z]+):\/\/(.*)$/.exec(url) ?? [];
  if (scheme.startsWith("unix")) return { path: address };
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  if (host !== "localhost" && isIP(host) === 0)
    throw new FlagError(`expected IP in URL for binding (${url})`);
  const port = Number(address.slice(colon + 1));
  if (port > 65_535) throw new FlagError(`there is no port ${port} (${url})`);
  return { host: host === "localhost" ? "127.0.0.1" : host, port };
}

function dataDirOf(flags: Flags): string {
  return flags.text("data-dir") || `${flags.text("name")}.etcd`;
}

/** Where etcd keeps what --auto-tls makes. Certificates that are given count more. */
function autoTlsFolder(flags: Flags): string | undefined {
  if (!flags.bool("auto-tls") || flags.text("cert-file") !== "") return undefined;
  return join(dataDirOf(flags), "fixtures/client");
}

function autoTls(flags: Flags): Settings["autoTls"] {
  const folder = autoTlsFolder(flags);
  const urls = [...flags.list("listen-client-urls"), ...flags.list("listen-client-http-urls")];
  const hosts = urls.flatMap((url) => /^https:\/\/\[?([^\]]*?)\]?:\d*$/.exec(url)?.[1] ?? []);
  const years = flags.number("self-signed-cert-validity");
  if (years < 1 || years > 100)
    throw new FlagError("--self-signed-cert-validity is a number of years from 1 to 100");
  return folder === undefined ? undefined : { folder, hosts: [...new Set(hosts)], years };
}

function tlsOptions(flags: Flags): TlsOptions | undefined {
  const auto = autoTlsFolder(flags);
  const [certFile, keyFile] =
    auto === undefined
      ? [flags.text("cert-file"), flags.text("key-file")]
      : [join(auto, "cert.pem"), join(auto, "key.pem")];
  if (certFile === "" && keyFile === "") return undefined;
  if (certFile === "" || keyFile === "")
    throw new FlagError("--cert-file and --key-file must both be present or both be absent");
  const [trustedCaFile, crlFile] = [flags.text("trusted-ca-file"), flags.text("client-crl-file")];
  const [allowedHostname, ...others] = flags.list("client-cert-allowed-hostname");
  if (others.length > 0) throw new FlagError("--client-cert-allowed-hostname takes one host name");
  const minVersion = flags.oneOf("tls-min-version", ["TLS1.2", "TLS1.3"]);
  const maxVersion =
    flags.text("tls-max-version") === "" ? undefined : flags.oneOf("tls-max-version", ["TLS1.2", "TLS1.3"]);
  if (minVersion === "TLS1.3" && maxVersion === "TLS1.2") {
    throw new FlagError("min version (TLS1.3) is greater than max version (TLS1.2)");
  }
  const cipherSuites = flags.list("cipher-suites");
  if (minVersion === "TLS1.3" && cipherSuites.length > 0) {
    throw new FlagError("cipher suites cannot be configured when only TLS1.3 is enabled");
  }
  return {
    certFile,
    keyFile,
    minVersion,
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(trustedCaFile === "" ? {} : { trustedCaFile }),
    ...(crlFile === "" ? {} : { crlFile }),
    ...(flags.bool("client-cert-auth") ? { clientCertAuth: true } : {}),
    ...(allowedHostname === undefined ? {} : { allowedHostname }),
    ...(cipherSuites.length === 0 ? {} : { cipherSuites }),
  };
}

function autoCompaction(flags: Flags): AutoCompactionOptions | undefined {
  const mode = flags.text("auto-compaction-mode");
  if (mode !== "periodic" && mode !== "revision" && mode !== "") {
    throw new FlagError(`unknown auto-compaction-mode ${JSON.stringify(mode)}`);
  }
  const retention = flags.text("auto-compaction-retention");
  const count = /^\d{1,15}$/.test(retention) ? Number(retention) : undefined;
  if (mode === "revision") {
    if (count === undefined) {
      throw new FlagError(
        `error parsing CompactionRetention: ${JSON.stringify(retention)} is no number of revisions`,
      );
    }
    return count === 0 ? undefined : { mode, keepRevisions: count };
  }
  const periodMs = count === undefined ? parseDuration(retention) : count * 3_600_000;
  if (periodMs === undefined)
    throw new FlagError(
      `error parsing CompactionRetention: time: invalid duration ${JSON.stringify(retention)}`,
    );
  return periodMs <= 0 ? undefined : { mode: "periodic", periodMs };
}

function bcryptCost(flags: Flags): number {
  const cost = flags.number("bcrypt-cost");
  if (cost >= 4 && cost <= 31) return cost;
  throw new FlagError(`--bcrypt-cost is a number from 4 to 31, not ${cost}`);
}

/** One and a half elections in whole beats, in seconds, rounded up. */
function leastTtl(flags: Flags): number {
  const [beat, election] = [flags.number("heartbeat-interval"), flags.number("election-timeout")];
  if (beat === 0) throw new FlagError("--heartbeat-interval must be >0 (set to 0ms)");
  if (election === 0) throw new FlagError("--election-timeout must be >0 (set to 0ms)");
  if (5 * beat > election) {
    throw new FlagError(
      `--election-timeout[${election}ms] should be at least as 5 times as --heartbeat-interval[${beat}ms]`,
    );
  }
  if (election > LONGEST_ELECTION_MS) {
    throw new FlagError(
      `--election-timeout[${election}ms] is too long, and should be set less than ${LONGEST_ELECTION_MS}ms`,
    );
  }
  const beats = Math.floor((3 * Math.floor(election / beat)) / 2);
  return Math.ceil((beats * beat) / 1000);
}

function quota(flags: Flags, warnings: string[]): number {
  const bytes = parseInteger(flags.text("quota-backend-bytes")) ?? 0n;
  if (bytes === 0n) return Number(DEFAULT_QUOTA);
  if (bytes > 8n * 1024n ** 3n) warnings.push("the quota is above 8 GiB, the most that etcd recommends");
  // As with etcd, a negative quota is none.
  return bytes < 0n ? Number.MAX_SAFE_INTEGER : flags.number("quota-backend-bytes");
}

function logLevel(flags: Flags): Settings["logLevel"] {
  if (flags.text("logger") !== "zap")
    throw new FlagError(`unknown logger option ${JSON.stringify(flags.text("logger"))}`);
  return flags.oneOf("log-level", LOG_LEVELS);
}
