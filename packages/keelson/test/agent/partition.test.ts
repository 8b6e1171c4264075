// Singletons while contact is lost: at no moment may the unit run here when another machine may start it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { keys } from "../../src/model/keys.ts";
import { leaseSeconds, plainFile, Stage } from "./stage.ts";

const leaseMs = leaseSeconds * 1000;

async function singleton(): Promise<Stage> {
  const stage = new Stage();
  await stage.startDaemon();
  stage.order("a.service", plainFile);
  stage.order("k.service", plainFile, { onPartition: "keep" });
  await stage.pass(1000);
  return stage;
}

describe("a machine out of contact", () => {
  test("stops its singletons before the lease can be over, keeps the others, and starts them when it is back", async () => {
    await using stage = await singleton();
    const sentAt = stage.session.renewal?.sentAt ?? 0;
    stage.door.state = "cut";
    await stage.pass(sentAt + leaseMs - 1600 - stage.clock.now());
    assert.deepEqual(stage.host.running, ["a.service", "k.service"]);
    await stage.pass(300);
    assert.deepEqual(stage.host.running, ["k.service"]);
    await stage.pass(20_000);
    stage.door.state = "open";
    await stage.pass(3000);
    assert.deepEqual(stage.host.running, ["a.service", "k.service"]);
    assert.equal(stage.status("a.service")?.reason, "");
  });

  test("starts again what the fence was about to stop when contact came back at that moment", async () => {
    for (let backAfterMs = 0; backAfterMs < 1000; backAfterMs += 100) {
      await using stage = await singleton();
      const { host, clock } = stage;
      const act = host.act.bind(host);
      // systemd hears of it a moment later.
      host.act = async (action, name, signal) => {
        if (action === "stop") await clock.sleep(300, signal);
        return act(action, name, signal);
      };
      stage.door.state = "cut";
      const { length } = host.actions;
      const isStopping = (): boolean => host.actions.slice(length).length > 0;
      const sentAt = stage.session.renewal?.sentAt ?? 0;
      await stage.pass(sentAt + leaseMs - 1500 + backAfterMs - clock.now());
      stage.door.state = "open";
      await stage.pass(5000);
      assert.ok(isStopping(), "it was never stopped");
      assert.deepEqual(host.running, ["a.service", "k.service"], `back after ${backAfterMs} ms`);
      assert.equal(stage.status("a.service")?.reason, "");
    }
  });

  test("does not start what was given away meanwhile", async () => {
    await using stage = await singleton();
    stage.door.state = "cut";
    await stage.pass(10_000);
    stage.withdraw("a.service");
    const { length } = stage.host.actions;
    stage.door.state = "open";
    await stage.pass(3000);
    assert.ok(!stage.host.actions.slice(length).includes("start a.service"));
    assert.deepEqual(stage.host.running, ["k.service"]);
  });

  test("goes on while the store does not run, for as long as that takes", async () => {
    await using stage = await singleton();
    const { length } = stage.host.actions;
    stage.store.stop();
    await stage.pass(60_000);
    assert.deepEqual(stage.host.running, ["a.service", "k.service"]);
    stage.store.start();
    await stage.pass(5000);
    assert.deepEqual(stage.host.actions.slice(length), []);
  });

  test("goes on while every other member says that it is lost too", async () => {
    const isLost = { value: true };
    await using stage = new Stage({
      proof: {
        storeRefuses: () => Promise.resolve(false),
        memberIsLost: () => Promise.resolve(isLost.value),
      },
    });
    await stage.startDaemon();
    stage.order("a.service", plainFile);
    await stage.pass(1000);
    stage.door.state = "cut";
    await stage.pass(60_000);
    assert.deepEqual(stage.host.running, ["a.service"]);
    isLost.value = false;
    await stage.pass(leaseMs);
    assert.deepEqual(stage.host.running, []);
  });

  test("without the daemon the fence stops them, and a new daemon starts them again", async () => {
    await using stage = await singleton();
    await stage.stopDaemon();
    await stage.pass(leaseMs);
    assert.deepEqual(stage.host.running, ["k.service"]);
    await stage.startDaemon();
    await stage.pass(3000);
    assert.deepEqual(stage.host.running, ["a.service", "k.service"]);
  });

  test("what the fence stopped while the daemon was too slow to see it starts again", async () => {
    await using stage = await singleton();
    const before = stage.host.states(["k.service"]).get("k.service")?.invocation;
    await stage.host.writeFence({ deadline: stage.host.uptimeSeconds(), units: ["a.service"] });
    await stage.pass(leaseMs);
    assert.deepEqual(stage.host.running, ["a.service", "k.service"]);
    assert.equal(stage.host.states(["k.service"]).get("k.service")?.invocation, before);
  });

  test("an attempt that the fence ended without the daemon has not failed: it was given up", async () => {
    await using stage = new Stage({ behaviour: () => ({ startMs: 600_000, ends: true }) });
    await stage.startDaemon();
    stage.order("job.service", plainFile, { run: "r.0" });
    await stage.pass(1000);
    assert.deepEqual(stage.host.running, ["job.service"]);
    await stage.stopDaemon();
    await stage.pass(leaseMs);
    assert.deepEqual(stage.host.running, []);
    await stage.startDaemon();
    await stage.pass(3000);
    const ended = stage.status("job.service")?.ended;
    assert.deepEqual([ended?.result, ended?.givenUp], ["failed", true]);
  });

  test("never runs a singleton that another machine may run, whatever happens", async () => {
    const event = fc.constantFrom(
      "cut",
      "heal",
      "store down",
      "store up",
      "other cut",
      "other heal",
      "daemon",
    );
    const timeline = fc.array(fc.tuple(fc.integer({ min: 100, max: 9000 }), event), {
      minLength: 3,
      maxLength: 9,
    });
    await fc.assert(fc.asyncProperty(timeline, play), { numRuns: 40 });
  });
});

/**
 * Another machine takes the unit as soon as it may: when it has watched the store without a break for a lease
 * time, and this machine's record is not there. To be asked for contact breaks its watching, if it has none.
 */
async function play(timeline: readonly (readonly [number, string])[]): Promise<void> {
  let isCut = false;
  let otherHeardAt = 0;
  let otherSince: number | undefined = 0;
  let otherIsCut = false;
  let taken = false;
  const stage: Stage = new Stage({
    proof: {
      storeRefuses: () => Promise.resolve(!isCut && !stage.store.isRunning),
      memberIsLost: () => {
        const isLost = stage.clock.now() - otherHeardAt > leaseMs / 3;
        if (isLost && !isCut) otherSince = undefined;
        return Promise.resolve(isLost && !isCut);
      },
    },
  });
  const { clock, store, host, door } = stage;
  const look = (): void => {
    store.expire();
    if (!store.isRunning || otherIsCut) {
      if (clock.now() - otherHeardAt > 2000) otherSince = undefined;
      return;
    }
    if (clock.now() - otherHeardAt > 2000) otherSince = undefined;
    otherHeardAt = clock.now();
    otherSince ??= clock.now();
    const isGone = !store.values.some(({ key }) => key === keys.machine(stage.machine));
    if (!taken && isGone && clock.now() - otherSince >= leaseMs) {
      assert.deepEqual(host.running, [], `runs here at ${clock.now()} when another may start it`);
      stage.withdraw("a.service");
      taken = true;
    }
    if (taken) assert.deepEqual(host.running, [], "runs here although another has it");
  };
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 100) {
      await stage.pass(Math.min(100, left));
      look();
    }
  };
  await stage.startDaemon();
  stage.order("a.service", plainFile);
  await pass(1500);
  assert.deepEqual(host.running, ["a.service"]);
  for (const [ms, event] of timeline) {
    if (event === "cut" || event === "heal") isCut = event === "cut";
    if (event === "store down") store.stop();
    if (event === "store up" && !store.isRunning) store.start();
    if (event === "other cut" || event === "other heal") otherIsCut = event === "other cut";
    if (event === "daemon") await (stage.hasDaemon ? stage.stopDaemon() : stage.startDaemon());
    door.state = isCut ? "cut" : "open";
    await pass(ms);
  }
  isCut = false;
  otherIsCut = false;
  door.state = "open";
  if (!store.isRunning) store.start();
  if (!stage.hasDaemon) await stage.startDaemon();
  await pass(10_000);
  assert.deepEqual(host.running, taken ? [] : ["a.service"], "it comes back when all is well");
  await stage.stopDaemon();
}
