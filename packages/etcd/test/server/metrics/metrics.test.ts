import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Exposition } from "../../../src/server/metrics/exposition.ts";
import { exponentialBounds, Histogram } from "../../../src/server/metrics/histogram.ts";
import { ask, base64, post, testServer } from "../support.ts";
import { parseExposition } from "./exposition-parser.ts";

/** What etcd's dashboard and the alerts of its mixin read, as far as one member has it. */
const READ_BY_OTHERS = [
  "etcd_server_has_leader",
  "etcd_server_leader_changes_seen_total",
  "etcd_server_proposals_committed_total",
  "etcd_server_proposals_applied_total",
  "etcd_server_proposals_pending",
  "etcd_server_proposals_failed_total",
  "etcd_server_quota_backend_bytes",
  "etcd_server_is_leader",
  "etcd_server_id",
  "etcd_server_version",
  "etcd_mvcc_db_total_size_in_bytes",
  "etcd_mvcc_db_total_size_in_use_in_bytes",
  "etcd_disk_wal_fsync_duration_seconds",
  "etcd_disk_backend_commit_duration_seconds",
  "etcd_network_client_grpc_received_bytes_total",
  "etcd_network_client_grpc_sent_bytes_total",
  "grpc_server_started_total",
  "grpc_server_handled_total",
  "grpc_server_msg_received_total",
  "grpc_server_msg_sent_total",
  "process_resident_memory_bytes",
  "process_cpu_seconds_total",
  "process_start_time_seconds",
  "etcd_debugging_mvcc_keys_total",
  "etcd_debugging_mvcc_watcher_total",
  "etcd_debugging_mvcc_slow_watcher_total",
  "etcd_debugging_mvcc_events_total",
  "etcd_debugging_mvcc_pending_events_total",
];

describe("the text format", () => {
  test("holds any label, and says histograms as they are", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.double({ noNaN: true, min: 0, max: 20 })), (label, values) => {
        const out = new Exposition();
        const histogram = new Histogram(exponentialBounds(0.001, 2, 14));
        for (const value of values) histogram.observe(value);
        out.gauge("a", "Some gauge.", [[{ label }, values.length]]);
        out.histogram("b", "Some histogram.", [[{ label }, histogram]]);
        const families = parseExposition(out.text);
        const escaped = label.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
        assert.equal(families.get("a")?.samples.get(`a{label="${escaped}"}`), values.length);
        const low = values.filter((value) => value <= 0.008).length;
        assert.equal(families.get("b")?.samples.get(`b_bucket{label="${escaped}",le="0.008"}`), low);
      }),
    );
  });
});

describe("/metrics", () => {
  test("has what others read, and counts what happens", async () => {
    await using server = await testServer({ metrics: "extensive" });
    const { port } = server;
    const scrape = async () => parseExposition((await ask({ port, path: "/metrics" })).text);
    const first = await scrape();
    for (const name of READ_BY_OTHERS) assert.ok(first.has(name), name);
    for (let turn = 0; turn < 3; turn++)
      await post(port, "/v3/kv/put", { key: base64("a"), value: base64("1") });
    await post(port, "/v3/kv/range", { key: base64("a") });
    await post(port, "/v3/kv/range", {});
    const compare: never[] = [];
    const success = [{ request_put: { key: base64("b") } }, { request_range: { key: base64("b") } }];
    await post(port, "/v3/kv/txn", { compare, success });
    await post(port, "/v3/kv/deleterange", { key: base64("b") });
    await post(port, "/v3/lease/grant", { TTL: 60, ID: 9 });
    await post(port, "/v3/lease/keepalive", { ID: 9 });
    await post(port, "/v3/lease/revoke", { ID: 9 });
    await ask({ port, path: "/readyz" });
    await ask({ port, path: "/health" });
    const families = await scrape();
    const value = (sample: string): number | undefined =>
      families.get(sample.replace(/\{.*|_(?:count|sum)(?=\{|$)/g, ""))?.samples.get(sample);
    const call = (service: string, method: string, type = "unary"): string =>
      `grpc_method="${method}",grpc_service="etcdserverpb.${service}",grpc_type="${type}"`;
    const expected: Readonly<Record<string, number>> = {
      etcd_mvcc_put_total: 4,
      etcd_mvcc_range_total: 2,
      etcd_mvcc_delete_total: 1,
      etcd_mvcc_txn_total: 1,
      etcd_debugging_mvcc_keys_total: 1,
      etcd_debugging_mvcc_current_revision: 6,
      etcd_debugging_lease_granted_total: 1,
      etcd_debugging_lease_renewed_total: 1,
      etcd_debugging_lease_revoked_total: 1,
      etcd_server_health_success: 1,
      'etcd_server_healthcheck{name="linearizable_read",type="readyz"}': 1,
      [`grpc_server_started_total{${call("KV", "Range")}}`]: 2,
      [`grpc_server_handled_total{grpc_code="OK",${call("KV", "Range")}}`]: 1,
      [`grpc_server_handled_total{grpc_code="InvalidArgument",${call("KV", "Range")}}`]: 1,
      [`grpc_server_handled_total{grpc_code="OK",${call("Lease", "LeaseKeepAlive", "bidi_stream")}}`]: 1,
      [`grpc_server_msg_received_total{${call("KV", "Put")}}`]: 3,
      [`grpc_server_handling_seconds_count{${call("KV", "Put")}}`]: 3,
    };
    for (const [sample, count] of Object.entries(expected)) assert.equal(value(sample), count, sample);
    assert.ok((value("etcd_disk_wal_fsync_duration_seconds_count") ?? 0) >= 7);
  });

  test("counts watches and what they are told, and a stream that its client leaves as canceled", async () => {
    await using server = await testServer();
    const { port } = server;
    const watch = new AbortController();
    const body = JSON.stringify({ create_request: { key: base64("a") } });
    const { signal } = watch;
    const response = await fetch(`http://127.0.0.1:${port}/v3/watch`, { method: "POST", body, signal });
    await post(port, "/v3/kv/put", { key: base64("a"), value: base64("1") });
    const reader = response.body?.getReader();
    for (let text = ""; !text.includes('"events"');)
      text += Buffer.from((await reader?.read())?.value ?? []).toString();
    const scrape = async () => (await ask({ port, path: "/metrics" })).text;
    const open = await scrape();
    assert.match(open, /^etcd_debugging_mvcc_watcher_total 1$/m);
    assert.match(open, /^etcd_debugging_mvcc_watch_stream_total 1$/m);
    assert.match(open, /^etcd_debugging_mvcc_events_total 1$/m);
    watch.abort();
    const gone = /^grpc_server_handled_total\{grpc_code="Canceled",.*grpc_method="Watch",.*\} 1$/m;
    for (let turn = 0; turn < 500 && !gone.test(await scrape()); turn++);
    assert.match(await scrape(), gone);
    assert.match(await scrape(), /^etcd_debugging_mvcc_watcher_total 0$/m);
  });
});
