// The system of the cluster's machines on the command line, against the real API over a store in memory.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run } from "../../src/cli/program.ts";
import { keys } from "../../src/model/keys.ts";
import { systemReportCodec, systemUpdateCodec } from "../../src/model/system-update.ts";
import type { SystemReport } from "../../src/model/system-update.ts";
import { fill, runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { machineId } from "../registry/records.ts";
import { recordingTerminal } from "./recording-terminal.ts";

const report = (number: number, fields: Partial<SystemReport> = {}): string =>
  systemReportCodec.encode({
    machine: machineId(number),
    bootId: "boot",
    version: "1.0.0",
    variant: "vm",
    slot: "a",
    keepsStore: number === 1,
    onTrial: false,
    failed: [],
    ...fields,
  });

const history: SystemReport["history"] = [
  { at: 1000, kind: "staged", version: "1.0.0", from: "0.9.0", how: "delta", bytes: 600_000, seconds: 1.5 },
  { at: 2000, kind: "rollback", version: "0.9.0", why: "as asked" },
];

describe("the machines' system on the command line", () => {
  let running: RunningApi;
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-system-"));
    running = await runApi();
    const cluster = fill(running.store);
    for (const number of [1, 2, 3]) cluster.machine(number);
    running.put(keys.systemReport(machineId(1)), report(1, { other: "0.9.0", history }));
    running.put(keys.systemReport(machineId(2)), report(2));
    for (const name of ["keelson_1.0.9_vm_amd64", "keelson_1.0.10_vm_amd64", "keelson_2.0.0_metal_amd64"])
      await writeFile(join(folder, `${name}.manifest.json`), "{}");
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const keel = async (...argv: string[]) => {
    const env = { KEEL_ENDPOINT: `unix:${running.api.socket}`, USER: "ada" };
    const recording = recordingTerminal({ env, cwd: folder });
    const code = await run(["os", ...argv], recording);
    return { code, stdout: recording.stdout(), stderr: recording.stderr() };
  };
  const json = async (...argv: string[]) => JSON.parse((await keel(...argv, "-o", "json")).stdout);

  test("is listed, with machines that have no slots", async () => {
    const { stdout } = await keel("status", "--all");
    assert.match(stdout, /^m1 +1\.0\.0 +a +0\.9\.0 +good +-$/m);
    assert.match(stdout, /^m3 +- +- +- +no slots +it was not started from an image/m);
    const { machines, update } = await json("status", "m2");
    assert.deepEqual([machines.length, machines[0].system.version, update], [1, "1.0.0", null]);
    assert.equal((await keel("status", "m9")).code, 7);
  });

  test("has a history that is told from afar", async () => {
    const { stdout } = await keel("history", "--machine", "m1");
    assert.match(
      stdout,
      /staged +1\.0\.0 +0\.9\.0 +delta +600 kB +1\.5 +-\n.*rollback +0\.9\.0 .*as asked/,
      stdout,
    );
    const { events } = await json("history", "--machine", "m1", "-n", "1");
    assert.deepEqual(events, [{ at: 2000, kind: "rollback", version: "0.9.0", why: "as asked" }]);
    assert.deepEqual((await json("history", "--machine", "m2")).events, []);
    assert.equal((await keel("history", "--machine", "m9")).code, 7);
    assert.match((await keel("history", "--machine", "m3")).stderr, /two slots.*KEEL-801/s);
  });

  test("is told of one machine by either way to name it, but by one", async () => {
    const { machines } = await json("status", "--machine", "m2");
    assert.deepEqual(machines, (await json("status", "m2")).machines);
    for (const argv of [
      ["m2", "--machine", "m2"],
      ["m2", "--all"],
      ["--machine", "m2", "--all"],
    ])
      assert.match((await keel("status", ...argv)).stderr, /KEEL-104/);
  });

  test("is updated to the newest that a folder has for these machines", async () => {
    const planned = await keel("update", "--all", "--from", ".", "--dry-run");
    assert.match(planned.stdout, /update the system of m2 and m1 to 1\.0\.10/, planned.stderr);
    assert.match(planned.stdout, /m3 does not run from one of two slots: left as it is/);
    const begun = await keel("update", "--all", "--from", ".", "--drain-deadline", "2m", "--at-once", "2");
    assert.equal(begun.code, 0, begun.stderr);
    const { values } = running.store.range({ key: keys.systemUpdate });
    const record = systemUpdateCodec.decode("update", values[0]?.value ?? new Uint8Array());
    const { to, source, atOnce, drainSeconds, machines } = record;
    assert.deepEqual([to, source, atOnce, drainSeconds], ["1.0.10", folder, 2, 120]);
    assert.deepEqual(machines, [machineId(2), machineId(1)]);
    const status = await json("status", "--all");
    assert.deepEqual(
      [status.update.state, status.update.total, status.machines[1].step.turn],
      ["running", 2, 1],
    );
    const why = (await running.ask({ path: `/v1/machines/m2/why` })).json;
    assert.match(
      JSON.stringify(why),
      /system update to 1\.0\.10 is running; here it is waiting, turn 1 of 2/,
    );
  });

  test("refuses a second update, and is steered", async () => {
    assert.equal((await keel("rollback", "--machines", "m1")).code, 8);
    assert.equal((await keel("pause")).code, 0);
    assert.match(
      (await keel("status", "--all")).stdout,
      /^update to 1\.0\.10: paused, 0 of 2 done.*paused by ada/,
    );
    assert.equal((await keel("resume")).code, 0);
    assert.equal((await keel("abort")).code, 0);
    assert.equal((await keel("pause")).code, 8);
    assert.match((await keel("rollback", "--all", "--dry-run")).stdout, /take m1 back to the version before/);
  });

  test("says what is wrong with what is asked", async () => {
    for (const wrong of [
      ["update", "--all", "--machines", "m1", "--from", "."],
      ["update", "--all", "--from", ".", "--at-once", "0"],
      ["update", "--all", "--from", ".", "--at-once", "1000"],
      ["update", "--machines", " , ", "--from", "."],
      ["update", "--all", "--from", ".", "--to", "newest"],
      ["update", "--all", "--from", ".", "--drain-deadline", "soon"],
      ["rollback", "--machines", "m3"],
    ])
      assert.equal((await keel(...wrong)).code, 2, wrong.join(" "));
  });
});
