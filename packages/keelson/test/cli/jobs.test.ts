// What people see of jobs and timers, through the real API, over a store in memory. Nothing runs here.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { run } from "../../src/cli/program.ts";
import { type JobRun, jobCodec, timerCodec } from "../../src/model/job.ts";
import { keys } from "../../src/model/keys.ts";
import { machineCodec, memberCodec } from "../../src/model/machine.ts";
import { unitCodec } from "../../src/model/unit.ts";
import { hashBody } from "../../src/registry/body-cache.ts";
import { type RunningApi, runApi } from "../api/running-api.ts";
import { machineId, machineRecord, unitRecord } from "../registry/records.ts";
import { recordingTerminal } from "./recording-terminal.ts";

const hour = 3_600_000;
const hash = "a".repeat(64);
const runOf = (number: number, changes: Partial<JobRun>): JobRun => ({
  id: `r${number}`,
  number,
  cause: "backup.timer at 2026-01-05T03:00:00Z",
  hash,
  attempt: 1,
  failures: 0,
  losses: 0,
  orders: 0,
  state: "succeeded",
  machine: machineId(1),
  invocation: "b".repeat(32),
  reason: "",
  asked: Date.now() - hour,
  started: Date.now() - hour,
  ended: Date.now() - hour + 2500,
  notBefore: 0,
  ...changes,
});

function fill(api: RunningApi): void {
  const now = Date.now();
  const { id, name, address, apiPort } = machineRecord(1);
  api.put(keys.machine(id), machineCodec.encode(machineRecord(1)));
  api.put(keys.member(id), memberCodec.encode({ id, name, address, apiPort, joined: 1 }));
  for (const unit of ["backup.service", "bad.service", "backup.timer", "old.timer"]) {
    const text = unit.endsWith(".timer") ? "[Timer]\nUnit=backup.service\n" : "[Service]\nType=oneshot\n";
    api.put(
      keys.unit(unit),
      unitCodec.encode(unitRecord(unit, { desired: "launched", hash: hashBody(text) })),
    );
    api.put(keys.body(hashBody(text)), text);
  }
  const job = { created: 1, restarts: 0, launched: true, machine: "" };
  const runs = [runOf(1, {}), runOf(2, { attempt: 2, losses: 1 })];
  const backup = { ...job, name: "backup.service", instance: "backup.service", unit: "backup.service", runs };
  api.put(keys.job("backup.service"), jobCodec.encode(backup));
  const failed = runOf(1, { state: "failed", reason: "exit status 7: no such disk", status: 7, failures: 1 });
  const bad = { ...job, name: "bad.service", instance: "bad.service", unit: "bad.service", runs: [failed] };
  api.put(keys.job("bad.service"), jobCodec.encode(bad));
  const timer = {
    hash,
    created: 1,
    restarts: 0,
    target: "backup.service",
    activated: now - hour,
    due: now + hour,
  };
  const waiting = { ...timer, last: now - hour, next: now + hour, reason: "", outcome: "started" };
  api.put(
    keys.timer("backup.timer"),
    timerCodec.encode({ ...waiting, name: "backup.timer", unit: "backup.timer" }),
  );
  const idle = { ...timer, last: 0, next: 0, due: 0, reason: "it has no trigger", outcome: "" };
  api.put(keys.timer("old.timer"), timerCodec.encode({ ...idle, name: "old.timer", unit: "old.timer" }));
}

describe("jobs and timers", () => {
  const keel = async (api: RunningApi, ...argv: string[]) => {
    const terminal = recordingTerminal({ env: { KEEL_ENDPOINT: `unix:${api.api.socket}` } });
    const code = await run(argv, terminal);
    return { code, text: terminal.stdout() + terminal.stderr() };
  };

  test("keel jobs, runs and timers list what the store has", async () => {
    await using api = await runApi();
    fill(api);
    const { text } = await keel(api, "jobs");
    assert.match(text, /backup\.service +2 +succeeded +m1 +2 +.*2\.5 s +backup\.timer at 2026/);
    assert.match(text, /bad\.service +1 +failed +m1 +1 .*exit status 7: no such disk/);
    assert.equal((await keel(api, "runs", "backup")).text.match(/succeeded/g)?.length, 2);
    assert.match(
      (await keel(api, "timers")).text,
      /backup\.timer .*1\.0 h|backup\.timer .* backup\.service +started/,
    );
    assert.match((await keel(api, "timers", "old")).text, /old\.timer +never .*it has no trigger/);
    const document = JSON.parse((await keel(api, "runs", "bad", "-o", "json")).text);
    assert.deepEqual(
      [document.runs[0].status, document.runs[0].state, document.runs[0].machineName],
      [7, "failed", "m1"],
    );
  });

  test("a unit without runs, and one that nobody knows, are refused", async () => {
    await using api = await runApi();
    fill(api);
    const none = await keel(api, "runs", "backup.timer");
    assert.match(none.text, /KEEL-561.*backup\.timer has no runs|backup\.timer has no runs/);
    assert.notEqual(none.code, 0);
    assert.match((await keel(api, "jobs", "nothing")).text, /no unit "nothing"/);
  });

  test("what has ended is shown where it was, and a timer as waiting", async () => {
    await using api = await runApi();
    fill(api);
    const { text } = await keel(api, "list-units");
    assert.match(text, /backup\.service +m1 +succeeded +inactive +dead/);
    assert.match(text, /bad\.service +m1 +failed +failed +failed .*exit status 7/);
    assert.match(text, /backup\.timer +- +healthy +active +waiting/);
    assert.match(text, /old\.timer +- +failed +failed +failed .*it has no trigger/);
    const { json } = await api.ask({ path: "/v1/units/backup.service" });
    assert.equal(json.unit.state, "succeeded");
  });

  test("status tells the last run of what has ended, and when a timer fires", async () => {
    await using api = await runApi();
    fill(api);
    const ended = await keel(api, "status", "backup.service");
    assert.match(ended.text, /^backup\.service\n○ run 2, attempt 2, succeeded on m1 .* ago, took 2\.5 s \(/);
    assert.equal(ended.code, 0);
    const failed = await keel(api, "status", "bad");
    assert.match(failed.text, /× run 1 failed on m1 .*: exit status 7: no such disk\n/);
    assert.equal(failed.code, 1);
    const timer = await keel(api, "status", "backup.timer");
    assert.match(
      timer.text,
      /^backup\.timer\n● fires at .*, in (1h 0m|60m 0s|5\dm \d+s); last 1h \dm ago: started\n/,
    );
    assert.equal(timer.code, 0);
    const idle = await keel(api, "status", "old.timer");
    assert.match(idle.text, /^old\.timer: it has no trigger\n× has not fired yet\n/);
    assert.equal(idle.code, 1);
    const { statuses } = JSON.parse((await keel(api, "status", "bad", "-o", "json")).text);
    assert.deepEqual([statuses[0].unit, statuses[0].machine, statuses[0].code], ["bad.service", "m1", 3]);
  });

  test("the cluster's status counts what has ended well as well", async () => {
    await using api = await runApi();
    fill(api);
    const { text } = await keel(api, "status");
    assert.match(text, /4, 2 not as asked for/);
    assert.doesNotMatch(text, /backup\.service/);
  });
});
