import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemdError, SystemdManager, type UnitState } from "../../src/index.ts";
import { FakeClock, FakeSystemd, settled } from "./fake-systemd.ts";

const JOB = "/org/freedesktop/systemd1/job/";
const hasCode = (code: string) => (error: unknown) => error instanceof SystemdError && error.code === code;

async function connected(): Promise<{ systemd: FakeSystemd; clock: FakeClock; manager: SystemdManager }> {
  const systemd = new FakeSystemd();
  const clock = new FakeClock();
  return { systemd, clock, manager: await SystemdManager.connect({ dial: systemd.dial, clock }) };
}

test("a job's end is seen before, with and after the answer to its call", async () => {
  const { systemd, manager } = await connected();
  await using _ = manager;
  let next = 0;
  systemd.answers.set("StartUnit", async () => {
    const path = JOB + (next += 1);
    if (next === 1) systemd.jobRemoved(path, "a.service", "failed");
    else if (next === 2) queueMicrotask(() => systemd.jobRemoved(path, "a.service", "dependency"));
    else setTimeout(() => systemd.jobRemoved(path, "a.service", "done"), 5);
    return [path];
  });
  const outcomes = [];
  for (let round = 0; round < 3; round += 1) outcomes.push(await manager.startUnit("a.service"));
  assert.deepEqual(
    outcomes.map(({ job, result }) => [job, result]),
    [
      [1, "failed"],
      [2, "dependency"],
      [3, "done"],
    ],
  );
});

test("calls that get the same job all learn its end, and other jobs end nothing", async () => {
  const { systemd, manager } = await connected();
  await using _ = manager;
  systemd.answers.set("StartUnit", () => [`${JOB}7`]);
  const both = Promise.all([manager.startUnit("a.service"), manager.startUnit("a.service")]);
  await settled();
  systemd.jobRemoved(`${JOB}8`, "b.service", "failed");
  systemd.jobRemoved(`${JOB}7`, "a.service", "canceled");
  assert.deepEqual(
    (await both).map(({ result }) => result),
    ["canceled", "canceled"],
  );
});

test("a job that ended while the bus was away is settled from the unit's state; one that goes on is waited for", async () => {
  const { systemd, clock, manager } = await connected();
  await using _ = manager;
  let next = 0;
  systemd.answers.set("StartUnit", () => [JOB + (next += 1)]);
  systemd.load("a.service", "failed");
  systemd.load("b.service", "active");
  const jobs = ["a.service", "b.service", "c.service"].map((name) => manager.startUnit(name));
  await settled();
  systemd.answers.set("ListJobs", () => [[[3, "c.service", "start", "running", `${JOB}3`, "/"]]]);
  systemd.cut();
  await clock.pass(5000);
  systemd.jobRemoved(`${JOB}3`, "c.service", "timeout");
  assert.deepEqual(
    (await Promise.all(jobs)).map(({ result }) => result),
    ["failed", "done", "timeout"],
  );
});

test("a call under way when the bus goes is refused; calls made meanwhile wait for its return", async () => {
  const { systemd, clock, manager } = await connected();
  await using _ = manager;
  systemd.answers.set("KillUnit", () => new Promise(() => undefined));
  const kill = assert.rejects(manager.killUnit("a.service", 9), hasCode("bus-closed"));
  await settled();
  systemd.reachable = false;
  systemd.cut();
  await kill;
  const state = manager.systemState();
  const impatient = assert.rejects(manager.systemState({ timeoutMs: 1 }), hasCode("timeout"));
  await impatient;
  await clock.pass(10_000);
  systemd.reachable = true;
  await clock.pass(10_000);
  assert.equal(await state, "running");
});

test("what waits for a bus that does not come back ends with the client", async () => {
  const { systemd, manager } = await connected();
  systemd.reachable = false;
  systemd.cut();
  const state = assert.rejects(manager.systemState(), hasCode("aborted"));
  await settled();
  await manager[Symbol.asyncDispose]();
  await state;
  await assert.rejects(SystemdManager.connect({ dial: systemd.dial }), hasCode("bus-unavailable"));
});

type Told = Record<string, string | undefined>;

async function watching(
  units: Record<string, string>,
  onTold: () => void = () => undefined,
): Promise<{
  systemd: FakeSystemd;
  clock: FakeClock;
  manager: SystemdManager;
  told: Told[];
  last: Map<string, UnitState>;
}> {
  const { systemd, clock, manager } = await connected();
  for (const [name, active] of Object.entries(units)) systemd.load(name, active);
  const told: Told[] = [];
  const last = new Map<string, UnitState>();
  const onChange = (changes: ReadonlyMap<string, UnitState | undefined>): void => {
    onTold();
    told.push(Object.fromEntries([...changes].map(([name, state]) => [name, state?.active])));
    for (const [name, state] of changes) if (state) last.set(name, state);
  };
  await manager.watchUnits({ match: ["a.service", "k-*"], onChange });
  return { systemd, clock, manager, told, last };
}

test("a watch tells what is there, then each change once, gathered", async () => {
  const { systemd, clock, manager, told, last } = await watching({
    "a.service": "active",
    "b.service": "active",
  });
  await using _ = manager;
  assert.deepEqual(told, [{ "a.service": "active" }]);
  systemd.calls.length = 0;
  systemd.change("a.service", { ActiveState: "deactivating" });
  systemd.change("b.service", { ActiveState: "failed" });
  systemd.change("a.service", { ActiveState: "failed", InvocationID: Uint8Array.of(0xab, 1), MainPID: 7 });
  await clock.pass(49);
  assert.equal(told.length, 1);
  await clock.pass(1);
  assert.deepEqual(told.slice(1), [{ "a.service": "failed" }]);
  assert.equal(last.get("a.service")?.invocationId, "ab01");
  assert.equal(last.get("a.service")?.mainPid, 7);
  assert.deepEqual(systemd.calls, [], "signals carry the values: nothing is read");
  systemd.change("a.service", { ActiveState: "failed" });
  await clock.pass(100);
  assert.equal(told.length, 2, "no change, no telling");
});

test("of units that nobody asked the details of, the list tells what is there and signals what changes", async () => {
  const { systemd, clock, manager } = await connected();
  await using _ = manager;
  for (const [name, active] of [
    ["a.service", "active"],
    ["b.service", "active"],
    ["c.service", "failed"],
  ] as const)
    systemd.load(name, active);
  const last = new Map<string, UnitState | undefined>();
  const wanted = new Set(["a.service"]);
  await manager.watchUnits({
    match: ["*"],
    isDetailed: (name) => wanted.has(name),
    onChange: (changes) => {
      for (const [name, state] of changes) last.set(name, state);
    },
  });
  assert.deepEqual(systemd.read, new Set(["a.service", "c.service"]), "what failed has its reason");
  assert.deepEqual(Object.fromEntries([...last].map(([name, state]) => [name, state?.active])), {
    "a.service": "active",
    "b.service": "active",
    "c.service": "failed",
  });
  systemd.change("b.service", { ActiveState: "failed", Result: "exit-code" });
  await clock.pass(50);
  assert.equal(last.get("b.service")?.result, "exit-code");
  wanted.add("b.service");
  systemd.read.clear();
  systemd.signal("Reloading", [true]);
  systemd.signal("Reloading", [false]);
  await clock.pass(100);
  assert.ok(systemd.read.has("b.service"), "what is wanted later is read at the reload that makes it so");
});

test("units that come and go are told, and one that is gone is not loaded by looking at it", async () => {
  const { systemd, clock, manager, told } = await watching({});
  await using _ = manager;
  systemd.load("k-1.service", "activating");
  systemd.change("k-1.service", { ActiveState: "active" });
  await clock.pass(50);
  systemd.unload("k-1.service");
  await clock.pass(50);
  systemd.calls.length = 0;
  systemd.load("k-2.service", "active");
  systemd.unload("k-2.service");
  await clock.pass(50);
  assert.deepEqual(told, [{ "k-1.service": "active" }, { "k-1.service": undefined }]);
  assert.deepEqual(systemd.calls, []);
});

test("a reload, which drops and makes all units, tells only what is different after it", async () => {
  const { systemd, clock, manager, told, last } = await watching({
    "a.service": "active",
    "k-1.service": "active",
  });
  await using _ = manager;
  systemd.signal("Reloading", [true]);
  const kept = systemd.units.get("a.service");
  systemd.unload("a.service");
  systemd.unload("k-1.service");
  await clock.pass(1000);
  systemd.load("a.service", "active", { ...kept, NeedDaemonReload: true });
  systemd.signal("Reloading", [false]);
  await clock.pass(50);
  assert.deepEqual(told.slice(1), [{ "k-1.service": undefined, "a.service": "active" }]);
  assert.equal(last.get("a.service")?.needDaemonReload, true);
});

test("whatever changed while the bus was away is told after its return", async () => {
  const { systemd, clock, manager, told } = await watching({
    "a.service": "active",
    "k-1.service": "active",
    "k-2.service": "active",
  });
  await using _ = manager;
  systemd.reachable = false;
  systemd.cut();
  systemd.change("a.service", { ActiveState: "failed" });
  systemd.unload("k-1.service");
  systemd.load("k-3.service", "active");
  await clock.pass(5000);
  assert.equal(told.length, 1);
  systemd.reachable = true;
  await clock.pass(5000);
  assert.deepEqual(told.slice(1), [
    { "a.service": "failed", "k-1.service": undefined, "k-3.service": "active" },
  ]);
});

test("a change whose signal was lost is found by the slow comparison", async () => {
  const { systemd, clock, manager, told } = await watching({
    "a.service": "active",
    "k-1.service": "active",
  });
  await using _ = manager;
  Object.assign(systemd.units.get("a.service") ?? {}, { ActiveState: "failed" });
  systemd.units.delete("k-1.service");
  await clock.pass(61_000);
  assert.deepEqual(told.slice(1), [{ "a.service": "failed", "k-1.service": undefined }]);
});

test("changes whose listener failed are told again, as they are then", async () => {
  let failures = 0;
  const { systemd, clock, manager, told } = await watching({ "a.service": "active" }, () => {
    if (failures > 0) {
      failures -= 1;
      throw new Error("the listener fails");
    }
  });
  await using _ = manager;
  failures = 1;
  systemd.change("a.service", { ActiveState: "deactivating" });
  await clock.pass(60);
  systemd.change("a.service", { ActiveState: "failed" });
  await clock.pass(5000);
  assert.deepEqual(told.slice(1), [{ "a.service": "failed" }]);
});

test("a watch ends with its signal", async () => {
  const { systemd, clock, manager } = await connected();
  await using _ = manager;
  const stop = new AbortController();
  let told = 0;
  const onChange = (): void => {
    told += 1;
  };
  systemd.load("a.service", "active");
  await manager.watchUnits({ match: ["*"], onChange, signal: stop.signal });
  stop.abort();
  systemd.change("a.service", { ActiveState: "failed" });
  await clock.pass(1000);
  assert.equal(told, 1);
});
