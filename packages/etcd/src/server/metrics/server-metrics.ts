// What the server tells Prometheus: the families of etcd 3.5 that its dashboard and the usual alerts read, under
// etcd's names. Gauges are read off the server when they are asked for; only what has no other trace is counted.

import { performance } from "node:perf_hooks";
import type { Change } from "../commands.ts";
import { CLUSTER_VERSION, ETCD_VERSION } from "../options.ts";
import type { HealthRecord } from "../pages/health.ts";
import type { LeaseKeeper } from "../lease-keeper.ts";
import type { Store } from "../store.ts";
import type { ServiceTable } from "../transport/call.ts";
import type { WatchHub } from "../watch/hub.ts";
import { Exposition, type Labels } from "./exposition.ts";
import { exponentialBounds, Histogram } from "./histogram.ts";
import { CODE_NAMES, countServices, DISK_BOUNDS, type MethodCounts } from "./method-counts.ts";
import { writeProcessFamilies } from "./process-families.ts";

/** What is measured. */
export interface Measured {
  readonly store: Store;
  readonly leases: LeaseKeeper;
  readonly hub: WatchHub;
  readonly quotaBytes: number;
}

export class ServerMetrics implements HealthRecord {
  readonly #measuresCalls: boolean;
  readonly #written = new Histogram(DISK_BOUNDS);
  readonly #committed = new Histogram(DISK_BOUNDS);
  readonly #ttls = new Histogram(exponentialBounds(1, 2, 24));
  readonly #judged = { true: 0, false: 0 };
  readonly #checks = new Map<string, CheckCounts>();
  #granted = 0;
  #revoked = 0;
  #calls: readonly MethodCounts[] = [];

  /** `level` is etcd's --metrics: "extensive" adds how long calls take. */
  constructor(level: "basic" | "extensive") {
    this.#measuresCalls = level === "extensive";
  }

  /** The services, counted from now on. */
  count(services: ServiceTable): ServiceTable {
    const counted = countServices(services, this.#measuresCalls);
    this.#calls = counted.counts;
    return counted.services;
  }

  /** A write to the log took so long. What it holds is carried out before the event loop goes on. */
  written(milliseconds: number): void {
    this.#written.observe(milliseconds / 1000);
    const began = performance.now() - milliseconds;
    setImmediate(() => this.#committed.observe((performance.now() - began) / 1000));
  }

  applied(change: Change): void {
    if (change.kind === "grant") {
      this.#granted++;
      this.#ttls.observe(change.request.ttl);
    } else if (change.kind === "revoke") this.#revoked++;
  }

  judged(isHealthy: boolean): void {
    this.#judged[`${isHealthy}`]++;
  }

  checked(page: string, check: string, isPassed: boolean): void {
    const key = `${page}/${check}`;
    const counts = this.#checks.get(key) ?? { page, check, isPassed, passed: 0, failed: 0 };
    this.#checks.set(key, {
      ...counts,
      isPassed,
      passed: counts.passed + Number(isPassed),
      failed: counts.failed + Number(!isPassed),
    });
  }

  /** All families, in Prometheus' text format. */
  expose(measured: Measured): string {
    const out = new Exposition();
    this.#writeServer(out, measured);
    this.#writeMvcc(out, measured);
    this.#writeLeases(out, measured);
    this.#writeDisk(out);
    this.#writeCalls(out);
    this.#writeHealth(out);
    writeProcessFamilies(out);
    return out.text;
  }

  #writeServer(out: Exposition, { store, quotaBytes }: Measured): void {
    const id = store.memberId.toString(16);
    const cluster = CLUSTER_VERSION.replace(/\.\d+$/, "");
    const { pending, failed } = store.counts;
    out.gauge("etcd_cluster_version", "Version of the cluster, as a label.", [
      [{ cluster_version: cluster }, 1],
    ]);
    out.gauge("etcd_server_version", "Version of the server, as a label.", [
      [{ server_version: ETCD_VERSION }, 1],
    ]);
    out.gauge("etcd_server_id", "Id of the member in hexadecimal, as a label.", [[{ server_id: id }, 1]]);
    out.gauge("etcd_debugging_auth_revision", "Revision of users and roles.", store.auth.revision);
    out.gauge("etcd_server_has_leader", "Whether there is a leader: always, in a cluster of one.", 1);
    out.gauge("etcd_server_is_leader", "Whether this member leads: always, in a cluster of one.", 1);
    out.gauge("etcd_server_is_learner", "Whether this member only learns.", 0);
    out.counter("etcd_server_leader_changes_seen_total", "Changes of the leader since the start.", 1);
    out.gauge(
      "etcd_server_proposals_committed_total",
      "Index of the last change in the log.",
      store.appliedIndex,
    );
    out.gauge(
      "etcd_server_proposals_applied_total",
      "Index of the last change carried out.",
      store.appliedIndex,
    );
    out.gauge("etcd_server_proposals_pending", "Changes that wait to be on disk.", pending);
    out.counter("etcd_server_proposals_failed_total", "Changes that could not be recorded.", failed);
    out.gauge("etcd_server_quota_backend_bytes", "Bytes of data above which writes are refused.", quotaBytes);
    out.gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes of the data directory.", store.bytes);
    out.gauge(
      "etcd_mvcc_db_total_size_in_use_in_bytes",
      "Bytes of keys and history, as the quota counts them.",
      store.keyspace.bytes,
    );
  }

  #writeMvcc(out: Exposition, { store, hub }: Measured): void {
    const { keyspace } = store;
    const { ranges, puts, deletes, txns } = keyspace.counts;
    const { watchers, events } = hub.counts;
    const behind = hub.behind();
    const streams = this.#calls.find(({ method, type }) => method === "Watch" && type === "bidi_stream");
    const counters = { range: ranges, put: puts, delete: deletes, txn: txns };
    for (const [name, value] of Object.entries(counters)) {
      for (const prefix of ["etcd_mvcc", "etcd_debugging_mvcc"]) {
        out.counter(`${prefix}_${name}_total`, `Operations of the kind "${name}" carried out.`, value);
      }
    }
    out.gauge("etcd_debugging_mvcc_keys_total", "Keys that exist.", keyspace.liveKeys);
    out.gauge("etcd_debugging_mvcc_current_revision", "Current revision.", keyspace.revision);
    out.gauge("etcd_debugging_mvcc_compact_revision", "Oldest revision kept.", keyspace.compactRevision);
    out.gauge("etcd_debugging_mvcc_watch_stream_total", "Open streams of watches.", streams?.open ?? 0);
    out.gauge("etcd_debugging_mvcc_watcher_total", "Watches.", watchers);
    out.gauge("etcd_debugging_mvcc_slow_watcher_total", "Watches that are behind.", behind.watchers);
    out.counter("etcd_debugging_mvcc_events_total", "Events told to watches.", events);
    out.gauge(
      "etcd_debugging_mvcc_pending_events_total",
      "Revisions that watches which are behind have not been told.",
      behind.revisions,
    );
  }

  #writeLeases(out: Exposition, { leases }: Measured): void {
    const { renewed, expired } = leases.counts;
    out.counter("etcd_debugging_lease_granted_total", "Leases granted.", this.#granted);
    out.counter("etcd_debugging_lease_revoked_total", "Leases ended, by whatever means.", this.#revoked);
    out.counter("etcd_debugging_lease_renewed_total", "Renewals of leases.", renewed);
    out.counter("etcd_debugging_server_lease_expired_total", "Leases that ran out.", expired);
    out.histogram("etcd_debugging_lease_ttl_total", "Times to live of granted leases, in seconds.", [
      [{}, this.#ttls],
    ]);
  }

  #writeDisk(out: Exposition): void {
    const written = "Seconds of a write to the log, on disk when it returns.";
    const committed = "Seconds of a write to the log together with carrying out what it holds.";
    out.histogram("etcd_disk_wal_fsync_duration_seconds", written, [[{}, this.#written]]);
    out.histogram("etcd_disk_backend_commit_duration_seconds", committed, [[{}, this.#committed]]);
  }

  #writeCalls(out: Exposition): void {
    const calls = this.#calls;
    const sum = (of: (counts: MethodCounts) => number): number =>
      calls.reduce((total, it) => total + of(it), 0);
    const each = (of: (counts: MethodCounts) => number) => calls.map((it) => [labelsOf(it), of(it)] as const);
    const received = sum(({ bytesReceived }) => bytesReceived);
    const sent = sum(({ bytesSent }) => bytesSent);
    out.counter("etcd_network_client_grpc_received_bytes_total", "Bytes of requests.", received);
    out.counter("etcd_network_client_grpc_sent_bytes_total", "Bytes of answers.", sent);
    out.counter(
      "grpc_server_started_total",
      "Calls begun.",
      each(({ started }) => started),
    );
    out.counter(
      "grpc_server_msg_received_total",
      "Messages received.",
      each((it) => it.messagesReceived),
    );
    out.counter(
      "grpc_server_msg_sent_total",
      "Messages sent.",
      each((it) => it.messagesSent),
    );
    const handled = calls.flatMap((it) =>
      CODE_NAMES.map((name, code) => [{ grpc_code: name, ...labelsOf(it) }, it.handled[code] ?? 0] as const),
    );
    out.counter("grpc_server_handled_total", "Calls ended, by their code.", handled);
    if (!this.#measuresCalls) return;
    const handling = calls.flatMap((it) =>
      it.handling === undefined ? [] : [[labelsOf(it), it.handling] as const],
    );
    out.histogram("grpc_server_handling_seconds", "Seconds from the begin of a call to its end.", handling);
  }

  #writeHealth(out: Exposition): void {
    const checks = [...this.#checks.values()];
    out.counter(
      "etcd_server_health_success",
      "Questions for the health that found it good.",
      this.#judged.true,
    );
    out.counter(
      "etcd_server_health_failures",
      "Questions for the health that found it bad.",
      this.#judged.false,
    );
    if (checks.length === 0) return;
    out.gauge(
      "etcd_server_healthcheck",
      "Whether a check passed the last time.",
      checks.map(({ page, check, isPassed }) => [{ type: page, name: check }, Number(isPassed)]),
    );
    out.counter(
      "etcd_server_healthchecks_total",
      "Checks made, by their outcome.",
      checks.flatMap(({ page, check, passed, failed }) => [
        [{ type: page, name: check, status: "success" }, passed] as const,
        [{ type: page, name: check, status: "error" }, failed] as const,
      ]),
    );
  }
}

interface CheckCounts {
  readonly page: string;
  readonly check: string;
  readonly isPassed: boolean;
  readonly passed: number;
  readonly failed: number;
}

function labelsOf({ service, method, type }: MethodCounts): Labels {
  return { grpc_service: service, grpc_method: method, grpc_type: type };
}
