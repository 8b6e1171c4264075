// What the flags mean, taken together: the server's options, and how the command logs.

import type { AutoCompactionOptions, EtcdServerOptions } from "../server/index.ts";
import { FlagError } from "./flag-error.ts";
import { FlagReader } from "./flag-reader.ts";
import { FLAGS } from "./flag-table.ts";
import { parseDuration, parseInteger } from "./flag-values.ts";
import { autoTls, clientListeners, dataDirOf, metricsListeners, type AutoTls } from "./listen-settings.ts";
import type { GivenFlags } from "./parse-flags.ts";
import { LOG_LEVELS } from "./zap-log.ts";

export interface Settings {
  readonly server: EtcdServerOptions;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logOutputs: readonly string[];
  /** The certificate to make, where --auto-tls asks for one. */
  readonly autoTls: AutoTls | undefined;
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
  const flags = new FlagReader(given);
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

/** As with etcd, what is 0 is what gRPC has by itself. */
function keepalive(flags: FlagReader): { minTime: number; interval: number; timeout: number } {
  const interval = flags.duration("grpc-keepalive-interval");
  const timeout = flags.duration("grpc-keepalive-timeout");
  const minTime = flags.duration("grpc-keepalive-min-time") || 5 * MINUTE_MS;
  return interval > 0 && timeout > 0 ? { minTime, interval, timeout } : { minTime, ...GRPC_KEEPALIVE };
}

function checkCluster(flags: FlagReader, name: string): void {
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

function autoCompaction(flags: FlagReader): AutoCompactionOptions | undefined {
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

function bcryptCost(flags: FlagReader): number {
  const cost = flags.number("bcrypt-cost");
  if (cost >= 4 && cost <= 31) return cost;
  throw new FlagError(`--bcrypt-cost is a number from 4 to 31, not ${cost}`);
}

/** One and a half elections in whole beats, in seconds, rounded up. */
function leastTtl(flags: FlagReader): number {
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

function quota(flags: FlagReader, warnings: string[]): number {
  const bytes = parseInteger(flags.text("quota-backend-bytes")) ?? 0n;
  if (bytes === 0n) return Number(DEFAULT_QUOTA);
  if (bytes > 8n * 1024n ** 3n) warnings.push("the quota is above 8 GiB, the most that etcd recommends");
  // As with etcd, a negative quota is none.
  return bytes < 0n ? Number.MAX_SAFE_INTEGER : flags.number("quota-backend-bytes");
}

function logLevel(flags: FlagReader): Settings["logLevel"] {
  if (flags.text("logger") !== "zap")
    throw new FlagError(`unknown logger option ${JSON.stringify(flags.text("logger"))}`);
  return flags.oneOf("log-level", LOG_LEVELS);
}
