// What happened, over HTTP: the store's history as events, and the way of one unit.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jobCodec } from "../../src/model/job.ts";
import { keys } from "../../src/model/keys.ts";
import { machineId } from "../registry/records.ts";
import { eventually } from "../eventually.ts";
import { file, fill, runApi } from "./running-api.ts";
import type { RunningApi } from "./running-api.ts";

/** A unit that was started on m1, and a machine m2. */
async function running(): Promise<{ readonly api: RunningApi; readonly hash: string }> {
  const api = await runApi();
  const records = fill(api.store);
  records.machine(1);
  records.machine(2);
  const { json } = await api.operate({ kind: "submit", files: [file("a.service")], desired: "launched" });
  const { hash } = (await api.ask({ path: "/v1/units/a.service" })).json.unit;
  const at = json.at as number;
  records.order(1, "a.service", { hash, placed: at + 12, because: "fewest units (0)" });
  const steps = { received: at + 20, written: at + 25, started: at + 30, active: at + 60, healthy: at + 90 };
  records.status(1, "a.service", { hash, since: at + 60, steps });
  return { api, hash };
}

const linesOf = (text: string): any[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe("GET /v1/history", () => {
  test("tells what happened in order, first how far back it goes", async () => {
    const { api } = await running();
    await using _ = api;
    const { status, headers, bytes } = await api.ask({ path: "/v1/history" });
    assert.deepEqual([status, headers["content-type"]], [200, "application/x-ndjson"]);
    const [start, ...events] = linesOf(bytes.toString());
    assert.deepEqual([start.cluster, start.since, start.leftOut], ["test", 1, 0]);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["machine", "machine", "operation", "placed", "received", "written", "started", "active", "healthy"],
    );
    assert.equal(events.at(-1).afterMs, 90);
    assert.equal(events.at(-1).operation, events[2].operation);
  });

  test("is narrowed to a unit, a machine, a time", async () => {
    const { api } = await running();
    await using _ = api;
    const events = async (query: string): Promise<any[]> =>
      linesOf((await api.ask({ path: `/v1/history?${query}` })).bytes.toString()).slice(1);
    assert.equal((await events("unit=a.service")).length, 7);
    assert.equal((await events("unit=b.service")).length, 0);
    assert.equal((await events("machine=m2")).length, 1);
    assert.equal((await events(`machine=${machineId(2)}`)).length, 1);
    assert.equal((await events(`since=${Date.now() + 60_000}`)).length, 0);
  });

  test("goes on with what happens", async () => {
    const { api } = await running();
    await using _ = api;
    const response = await api.open({ path: "/v1/history?follow=1&machine=m2" });
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await eventually("the past", () => linesOf(text).length === 2);
    const before = Date.now();
    api.store.txn({ compare: [], write: [{ delete: keys.machine(machineId(2)) }] });
    await eventually("the loss", () => linesOf(text).length === 3);
    const event = linesOf(text)[2];
    assert.match(event.text, /^does not report/);
    assert.ok(event.at >= before && !event.exact);
    response.destroy();
  });

  test("refuses what it cannot read", async () => {
    await using api = await runApi();
    for (const query of ["since=yesterday", "since=-1", "follow=yes", "since=9999999999999999999"]) {
      const { status, json } = await api.ask({ path: `/v1/history?${query}` });
      assert.deepEqual([status, json.error.code], [400, "KEEL-104"], query);
    }
    const long = await api.ask({ path: `/v1/history?unit=${"x".repeat(3000)}` });
    assert.equal(long.status, 200);
  });
});

describe("GET /v1/timeline/NAME", () => {
  test("has every step with its milliseconds", async () => {
    const { api } = await running();
    await using _ = api;
    const { status, json } = await api.ask({ path: "/v1/timeline/a.service" });
    assert.equal(status, 200);
    const [timeline] = json.instances;
    assert.deepEqual(
      timeline.steps.map(({ kind, afterMs, tookMs }: any) => [kind, afterMs, tookMs]),
      [
        ["operation", 0, 0],
        ["placed", 12, 12],
        ["received", 20, 8],
        ["written", 25, 5],
        ["started", 30, 5],
        ["active", 60, 30],
        ["healthy", 90, 30],
      ],
    );
    assert.deepEqual(
      [timeline.totalMs, timeline.isDone, timeline.machineName, timeline.reason],
      [90, true, "m1", ""],
    );
    assert.match(timeline.steps[1].why, /^fewest units/);
  });

  test("a move begins with its placement; what has not been answered is not told as done", async () => {
    const { api, hash } = await running();
    await using _ = api;
    const records = fill(api.store);
    api.store.txn({ compare: [], write: [{ delete: keys.schedule(machineId(1), "a.service") }] });
    const placed = Date.now() + 5000;
    records.order(2, "a.service", {
      hash,
      placed,
      because: "moved from m1: its lease ran out; fewest units (0)",
    });
    const { json } = await api.ask({ path: "/v1/timeline/a.service" });
    const [timeline] = json.instances;
    assert.deepEqual(
      timeline.steps.map(({ kind, text }: any) => [kind, text]),
      [["placed", "placed on m2"]],
    );
    assert.deepEqual([timeline.isDone, timeline.reason], [false, "m2 has yet to answer"]);
  });

  test("a unit without a place has its operation; an unknown one is not found", async () => {
    await using api = await runApi();
    await api.operate({ kind: "submit", files: [file("b.service")], desired: "launched" });
    const { json } = await api.ask({ path: "/v1/timeline/b.service" });
    assert.deepEqual(
      json.instances.map(({ machine, reason, steps }: any) => [machine, reason, steps.length]),
      [["", "it has no machine", 1]],
    );
    assert.equal((await api.ask({ path: "/v1/timeline/none.service" })).status, 404);
  });

  test("a run that has ended is told to its end, and what nobody wants is not under way", async () => {
    await using api = await runApi();
    fill(api.store).machine(1);
    await api.operate({ kind: "submit", files: [file("c.service")], desired: "inactive" });
    await api.operate({ kind: "submit", files: [file("d.service")], desired: "launched" });
    const asked = Date.now();
    const run = {
      id: "r1",
      number: 1,
      cause: "d.timer at 2026-01-05T03:00:00Z",
      hash: "a".repeat(64),
      attempt: 2,
      failures: 2,
      losses: 0,
      orders: 0,
      state: "failed",
      machine: machineId(1),
      invocation: "",
      reason: "exit status 7",
      asked,
      started: asked + 20,
      ended: asked + 520,
      notBefore: 0,
    } as const;
    const names = { name: "d.service", instance: "d.service", unit: "d.service", machine: "" };
    const job = { ...names, created: 1, restarts: 0, launched: true, runs: [run] };
    api.put(keys.job("d.service"), jobCodec.encode(job));
    const [timeline] = (await api.ask({ path: "/v1/timeline/d.service" })).json.instances;
    assert.deepEqual(
      timeline.steps.map(({ text, why, tookMs }: any) => [text, why, tookMs]),
      [
        ["run 1 asked for", run.cause, 0],
        ["attempt 2 begun on m1", "", 20],
        ["failed", "exit status 7", 500],
      ],
    );
    assert.deepEqual(
      [timeline.machineName, timeline.isDone, timeline.reason],
      ["m1", false, "exit status 7"],
    );
    const [idle] = (await api.ask({ path: "/v1/timeline/c.service" })).json.instances;
    assert.deepEqual([idle.isDone, idle.reason], [true, ""]);
  });
});
