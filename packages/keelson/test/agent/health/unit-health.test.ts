// Checks and crash loops of an agent on a simulated machine.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Behaviour } from "../../../src/host/simulated-host.ts";
import { plainFile, Stage } from "../stage.ts";

const unit = "a.service";
const checked = `${plainFile}[X-Keelson]\nHealthHTTP=:8080/healthz\nHealthInterval=10s\nHealthStartPeriod=20s\n`;
const said = "GET :8080/healthz: 503";

async function staged(body: string, behaviour: Behaviour = {}) {
  let now = behaviour;
  const stage = new Stage({ behaviour: () => now });
  await stage.startDaemon();
  stage.order(unit, body);
  const count = (action: string): number =>
    stage.host.actions.filter((one) => one === `${action} ${unit}`).length;
  const turn = (next: Behaviour): void => {
    now = next;
  };
  return { stage, turn, count, [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose]() };
}

const secondsMs = 1000;
const minuteMs = 60_000;

describe("checks", () => {
  test("active is not healthy: the first check that passes is", async () => {
    await using it = await staged(checked, { ails: said });
    await it.stage.pass(5 * secondsMs);
    const starting = it.stage.status(unit);
    assert.deepEqual([starting?.active, starting?.health], ["active", "starting"]);
    assert.equal(starting?.reason, `its check does not pass yet: ${said}`);
    it.turn({});
    await it.stage.pass(5 * secondsMs);
    assert.deepEqual([it.stage.status(unit)?.health, it.stage.status(unit)?.reason], ["healthy", ""]);
    assert.equal(it.stage.status(unit)?.failures, undefined);
  });

  test("after so many failures it is unhealthy, is counted as failed, and restarted", async () => {
    await using it = await staged(`${checked}HealthRetries=3\n`);
    await it.stage.pass(30 * secondsMs);
    it.turn({ ails: said });
    const before = it.stage.status(unit)?.invocation;
    await it.stage.pass(15 * secondsMs);
    assert.equal(it.stage.status(unit)?.health, "healthy", "one failure says nothing");
    await it.stage.pass(20 * secondsMs);
    assert.notEqual(it.stage.status(unit)?.invocation, before);
    assert.equal(it.stage.status(unit)?.failures?.count, 1);
    assert.equal(it.stage.status(unit)?.health, "starting");
    assert.equal(it.count("restart"), 1);
    it.turn({});
    await it.stage.pass(5 * secondsMs);
    assert.equal(it.stage.status(unit)?.health, "healthy");
    await it.stage.pass(11 * minuteMs);
    assert.equal(it.stage.status(unit)?.failures, undefined, "it has been well for long");
  });

  test("restarts that do not help are backed off, and it is told why", async () => {
    await using it = await staged(`${checked}HealthRetries=1\n`, { ails: said });
    await it.stage.pass(60 * minuteMs);
    const restarts = it.count("restart");
    assert.ok(restarts >= 8 && restarts <= 16, `${restarts}`);
    const { failures } = it.stage.status(unit)!;
    assert.ok((failures?.count ?? 0) >= restarts, `${failures?.count} of ${restarts}`);
  });

  test("HealthOnFailure=none only tells", async () => {
    await using it = await staged(`${checked}HealthRetries=1\nHealthOnFailure=none\n`, { ails: said });
    await it.stage.pass(5 * minuteMs);
    assert.equal(it.count("restart"), 0);
    const status = it.stage.status(unit);
    assert.deepEqual([status?.active, status?.health], ["active", "unhealthy"]);
    assert.equal(status?.reason, `${said} (1 of 1)`);
    it.turn({});
    await it.stage.pass(15 * secondsMs);
    assert.equal(it.stage.status(unit)?.health, "healthy");
  });

  test("a restarted daemon goes on where the one before was, and restarts nothing", async () => {
    await using it = await staged(checked);
    await it.stage.pass(30 * secondsMs);
    const before = it.stage.status(unit);
    await it.stage.stopDaemon();
    await it.stage.startDaemon();
    for (let second = 0; second < 30; second++) {
      await it.stage.pass(1 * secondsMs);
      assert.equal(it.stage.status(unit)?.health, "healthy");
    }
    assert.deepEqual(it.stage.status(unit)?.invocation, before?.invocation);
    assert.equal(it.count("start") + it.count("restart"), 1);
  });

  test("what goes on as it was is written once", async () => {
    await using it = await staged(checked);
    await it.stage.pass(30 * secondsMs);
    const { revision } = it.stage.store;
    await it.stage.pass(10 * minuteMs);
    assert.equal(it.stage.store.revision, revision);
  });
});

describe("crash loops", () => {
  test("a unit that fails again and again is tried later each time, and its failures are told", async () => {
    await using it = await staged(plainFile, { fails: true });
    await it.stage.pass(1 * secondsMs);
    const first = it.stage.status(unit);
    assert.equal(first?.active, "failed");
    assert.equal(first?.failures?.count, 1);
    assert.equal(first?.reason, "exit status 1");
    const waits = (first?.failures?.nextTry ?? 0) - (first?.failures?.last ?? 0);
    assert.ok(waits >= 9000 && waits <= 11_000, `${waits}`);
    await it.stage.pass(5 * minuteMs);
    const later = it.stage.status(unit);
    assert.equal(later?.failures?.count, 5);
    assert.match(later?.reason ?? "", /^crash loop: failed 5 times in \d+ (s|min): exit status 1$/);
    await it.stage.pass(60 * minuteMs);
    assert.ok(it.count("start") <= 6 + 14, `${it.count("start")}`);
  });

  test("it survives the daemon’s restart", async () => {
    await using it = await staged(plainFile, { fails: true });
    await it.stage.pass(100 * secondsMs);
    const before = it.stage.status(unit)?.failures;
    await it.stage.stopDaemon();
    await it.stage.startDaemon();
    await it.stage.pass(1 * secondsMs);
    assert.deepEqual(it.stage.status(unit)?.failures, before);
  });

  test("it recovers: a try that goes well ends the loop", async () => {
    await using it = await staged(plainFile, { fails: true });
    await it.stage.pass(15 * secondsMs);
    it.turn({});
    await it.stage.pass(1 * minuteMs);
    const status = it.stage.status(unit);
    assert.deepEqual([status?.active, status?.health, status?.reason], ["active", "healthy", ""]);
    assert.equal(status?.failures?.count, 2);
    assert.equal(status?.failures?.nextTry, undefined);
  });

  for (const [what, body] of [
    ["MoveAfter=0", `${plainFile}[X-Keelson]\nMoveAfter=0\n`],
    ["Restart=no", `${plainFile}Restart=no\n`],
    ["a unit that runs to its end", "[Service]\nType=oneshot\nExecStart=/bin/false\n"],
  ] as const) {
    test(`${what}: left as it is`, async () => {
      await using it = await staged(body, { fails: true });
      await it.stage.pass(10 * minuteMs);
      assert.equal(it.count("start"), 1);
      assert.equal(it.stage.status(unit)?.active, "failed");
    });
  }

  for (const years of [-30, 30]) {
    test(`a clock set by ${years} years keeps nobody from being tried again`, async () => {
      await using it = await staged(plainFile, { fails: true });
      await it.stage.pass(100 * secondsMs);
      const before = it.count("start");
      it.stage.clock.jumpWall(years * 365 * 86_400_000);
      await it.stage.pass(6 * minuteMs);
      assert.ok(it.count("start") > before, `${it.count("start")}`);
      it.turn({});
      await it.stage.pass(16 * minuteMs);
      assert.equal(it.stage.status(unit)?.active, "active");
      assert.equal(it.stage.status(unit)?.failures, undefined, "forgotten after a while");
    });
  }

  test("another order begins anew", async () => {
    await using it = await staged(plainFile, { fails: true });
    await it.stage.pass(100 * secondsMs);
    assert.ok((it.stage.status(unit)?.failures?.count ?? 0) > 2);
    it.stage.order(unit, plainFile, { restarts: 1 });
    await it.stage.pass(1 * secondsMs);
    assert.equal(it.stage.status(unit)?.failures?.count, 1);
  });

  test("what the fence stopped has not failed", async () => {
    await using it = await staged(plainFile);
    await it.stage.pass(1 * secondsMs);
    it.stage.door.state = "cut";
    await it.stage.pass(20 * secondsMs);
    assert.deepEqual(it.stage.host.running, []);
    it.stage.door.state = "open";
    await it.stage.pass(20 * secondsMs);
    assert.deepEqual(it.stage.host.running, [unit]);
    assert.equal(it.stage.status(unit)?.failures, undefined);
  });
});
