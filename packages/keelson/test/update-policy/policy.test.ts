// One question of the policy after the other, on a ledger.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UpdatePolicy } from "../../src/model/update-service.ts";
import type { Ledger } from "../../src/update-policy/ledger.ts";
import {
  HOUR,
  MINUTE,
  app,
  configuration,
  ledger,
  machineId,
  noon,
  open,
  report,
  request,
  told,
} from "./fleet-under-test.ts";

const under = (policy: Partial<UpdatePolicy>): Ledger => ledger({ policy: { ...open, ...policy } });
const ask = (one: Ledger, machine: number, at = noon, more = {}): string =>
  told(one.check(request(machine, more), at));
const rollout = (one: Ledger, version = "2.0.0") => one.state.group(app, "prod")?.rollouts.get(version);
const taken = (one: Ledger): number => one.state.group(app, "prod")?.taken ?? 0;

describe("policy", () => {
  test("what is not known is refused and leaves no trace", () => {
    const one = ledger();
    assert.equal(ask(one, 1, noon, { application: "com.example.other" }), "unknown-application");
    assert.equal(ask(one, 1, noon, { track: "nowhere" }), "unknown-group");
    assert.equal(ask(one, 1, noon, { machine: "" }), "unreadable");
    assert.equal(ask(one, 1, noon, { machine: "a\nb" }), "unreadable");
    assert.equal(ask(one, 1, noon, { version: "latest" }), "unreadable");
    assert.equal(one.revision, 0);
    assert.equal(ask(one, 1, noon, { architecture: "arm64" }), "no-version");
  });

  test("a group is known by its tracks, with or without braces and in capitals", () => {
    for (const track of ["f00df00d-0000-4000-8000-000000000001", "{F00DF00D-0000-4000-8000-000000000001}"])
      assert.equal(ask(ledger(), 1, noon, { track }), "update 2.0.0");
  });

  test("a machine that is up to date is told so, whatever else holds", () => {
    const one = under({ paused: true });
    assert.equal(ask(one, 1, noon, { version: "2.0.0" }), "current");
    assert.equal(ask(one, 2, noon, { version: "3.0.0" }), "newer");
    assert.equal(ask(one, 3), "paused");
  });

  test("floors come first, the lowest first", () => {
    const one = ledger({
      floors: [
        { version: "1.5.0", reason: "new keys" },
        { version: "1.2.0", reason: "boot loader" },
      ],
      versions: ["1.2.0", "1.5.0", "2.0.0"],
    });
    const { decision } = one.check(request(1), noon);
    assert.ok(decision.answer === "update");
    assert.equal(decision.package.version, "1.2.0");
    assert.deepEqual(decision.floor, { goal: "2.0.0", reason: "boot loader" });
    assert.equal(ask(one, 1, noon, { version: "1.2.0" }), "update 1.5.0");
    assert.equal(ask(one, 1, noon, { version: "1.5.0" }), "update 2.0.0");
  });

  test("a pin holds, and a package that is missing is said", () => {
    assert.equal(ask(under({ pin: "1.5.0" }), 1), "update 1.5.0");
    assert.equal(ask(under({ pin: "9.0.0" }), 1), "no-package");
  });

  test("an older version only by name, and with a leave where one is needed", () => {
    const newer = { version: "3.0.0" };
    assert.equal(ask(under({}), 1, noon, newer), "newer");
    assert.equal(ask(under({ pin: "2.0.0" }), 1, noon, newer), "downgrade");
    assert.equal(ask(under({ allowDowngrade: [{ to: "2.0.0" }] }), 1, noon, newer), "update 2.0.0");
    const signed = (leave?: string) =>
      ledger({
        signedDowngrades: true,
        policy: { ...open, allowDowngrade: [{ to: "2.0.0", ...(leave === undefined ? {} : { leave }) }] },
      });
    assert.equal(ask(signed(), 1, noon, newer), "downgrade");
    assert.equal(ask(signed("bGVhdmU="), 1, noon, newer), "update 2.0.0");
  });

  test("a machine's own wishes", () => {
    assert.equal(ask(ledger(), 1, noon, { updateDisabled: true }), "not-asking");
    assert.equal(ask(ledger(), 1, noon, { versionPrefix: "1.9" }), "prefix");
    assert.equal(ask(ledger(), 1, noon, { versionPrefix: "2" }), "update 2.0.0");
  });

  test("exclusion by what a machine says of itself", () => {
    const one = under({
      exclude: [
        { field: "alias", startsWith: "db-" },
        { field: "oem", equals: "ec2" },
      ],
    });
    assert.equal(ask(one, 1, noon, { alias: "db-3" }), "excluded");
    assert.equal(ask(one, 2, noon, { oem: "ec2" }), "excluded");
    assert.equal(ask(one, 3, noon, { oem: "ec2-like", alias: "web" }), "update 2.0.0");
  });

  test("windows hold, and say when", () => {
    const one = under({ windows: [{ days: ["thu"], start: "04:00", minutes: 60, timezone: "UTC" }] });
    const { decision } = one.check(request(1), noon);
    assert.ok(decision.answer === "none" && decision.reason.code === "window");
    assert.equal(decision.reason.opensAt, noon + 16 * HOUR);
    assert.ok((decision.pollSeconds ?? 0) >= 16 * 3600 && (decision.pollSeconds ?? 0) <= 16 * 3600 + 2700);
    assert.equal(ask(one, 1, noon + 16 * HOUR), "update 2.0.0");
  });

  test("so many begin within any period, and no more", () => {
    const one = under({ perPeriod: { count: 2, seconds: 3600 } });
    assert.equal(ask(one, 1), "update 2.0.0");
    assert.equal(ask(one, 2, noon + 10 * MINUTE), "update 2.0.0");
    const { decision } = one.check(request(3), noon + 20 * MINUTE);
    assert.deepEqual(decision.answer === "none" && decision.reason, {
      code: "period",
      count: 2,
      seconds: 3600,
      nextAt: noon + HOUR,
    });
    assert.equal(ask(one, 3, noon + HOUR - 1), "period");
    assert.equal(ask(one, 3, noon + HOUR), "update 2.0.0");
    assert.equal(ask(one, 4, noon + HOUR), "period");
  });

  test("asking again gives the same answer, one slot, and no longer lease", () => {
    const one = under({ atOnce: 1, perPeriod: { count: 1, seconds: 3600 } });
    const first = one.check(request(1), noon).decision;
    const again = one.check(request(1), noon + MINUTE).decision;
    assert.ok(first.answer === "update" && again.answer === "update");
    assert.deepEqual([again.repeated, again.until], [true, first.until]);
    assert.equal(taken(one), 1);
  });

  test("a lease that runs out frees its slot for whoever comes next", () => {
    const one = under({ atOnce: 1 });
    assert.equal(ask(one, 1), "update 2.0.0");
    assert.equal(ask(one, 2, noon + HOUR - 1), "slots");
    assert.equal(ask(one, 2, noon + HOUR), "update 2.0.0");
    // The first one is late; there is no slot for it, and its state is known all the same.
    one.report(report(1, "downloading"), noon + HOUR + MINUTE);
    assert.equal(taken(one), 1);
    one.report(report(1, "complete", { version: "2.0.0" }), noon + HOUR + 2 * MINUTE);
    assert.equal(one.why(app, machineId(1), noon + 2 * HOUR).code, "current");
  });

  test("a person who asks on demand skips wave, window and period, not the slots and not the brakes", () => {
    const now = { onDemand: true };
    const one = under({
      atOnce: 1,
      perPeriod: { count: 1, seconds: 3600 },
      windows: [{ days: ["sun"], start: "04:00", minutes: 60, timezone: "UTC" }],
      waves: [{ percent: 100, afterSeconds: 3600, successes: 0 }],
    });
    assert.equal(ask(one, 1, noon, now), "update 2.0.0");
    assert.equal(ask(one, 2, noon, now), "slots");
    one.report(report(1, "hashMismatch"), noon);
    assert.equal(ask(one, 2, noon, now), "update 2.0.0");
    one.act({ do: "halt", application: app, group: "prod", version: "2.0.0", who: "ada" }, noon);
    assert.equal(ask(one, 3, noon, now), "halted");
  });

  test("a grant is taken back when its machine asks and policy says no by now", () => {
    const one = under({ atOnce: 5 });
    ask(one, 1);
    one.configure(configuration({ policy: { ...open, paused: true } }));
    assert.equal(ask(one, 1, noon + MINUTE), "paused");
    assert.equal(taken(one), 0);
  });

  test("another target takes the same slot", () => {
    const one = under({ atOnce: 1 });
    ask(one, 1);
    one.configure(configuration({ policy: { ...open, atOnce: 1 }, channel: "3.0.0" }));
    assert.equal(ask(one, 1, noon + MINUTE), "update 3.0.0");
    assert.equal(taken(one), 1);
  });

  test("a machine that changes its group takes nothing with it", () => {
    const one = under({ atOnce: 1 });
    ask(one, 1);
    assert.equal(ask(one, 1, noon + MINUTE, { track: "lab" }), "update 2.0.0");
    assert.equal(taken(one), 0);
    assert.equal(one.state.group(app, "lab")?.taken, 1);
    assert.equal(one.state.group(app, "prod")?.machines, 0);
  });

  test("the ledger takes on so many machines, and keeps room for those with a proof", () => {
    const one = ledger({}, { mostMachines: 10 });
    const answers = Array.from({ length: 12 }, (_, machine) => ask(one, machine));
    assert.equal(answers.filter((answer) => answer === "full").length, 3);
    assert.equal(ask(one, 20, noon, { verified: true }), "update 2.0.0");
    assert.equal(ask(one, 0), "update 2.0.0");
  });
});

describe("identity", () => {
  test("a group for verified machines gives nothing to others, and says so", () => {
    const one = under({ verified: "required" });
    assert.equal(ask(one, 1), "unverified");
    assert.equal(one.why(app, machineId(1), noon).code, "unverified");
    assert.equal(ask(one, 2, noon, { verified: true }), "update 2.0.0");
  });

  test("nobody speaks for a machine that proved itself", () => {
    const one = under({});
    ask(one, 1, noon, { verified: true });
    const before = [...one.snapshot()];
    assert.equal(ask(one, 1, noon, { version: "0.1" }), "unverified");
    one.report(report(1, "rolledBack"), noon);
    one.report(report(1, "complete", { version: "2.0.0" }), noon);
    assert.deepEqual([...one.snapshot()], before);
  });

  test("forged failures of machines that were given nothing trip no brakes", () => {
    const one = under({ halt: { failures: 1, share: 1, ofAtLeast: 1 } });
    for (let machine = 0; machine < 50; machine++) one.report(report(machine, "hashMismatch"), noon);
    assert.equal(rollout(one), undefined);
    assert.equal(ask(one, 1), "update 2.0.0");
    for (let machine = 2; machine < 50; machine++) one.report(report(machine, "rolledBack"), noon);
    assert.equal(rollout(one)?.failed, 0);
  });

  test("one machine is one failure, however often it says so", () => {
    const one = under({ halt: { failures: 2, share: 1, ofAtLeast: 100 } });
    for (let time = 0; time < 3; time++) {
      ask(one, 1, noon + time * MINUTE);
      for (let twice = 0; twice < 2; twice++) one.report(report(1, "hashMismatch"), noon + time * MINUTE);
    }
    assert.equal(rollout(one)?.failed, 1);
    assert.equal(rollout(one)?.halt, undefined);
    assert.equal(ask(one, 1, noon + 9 * MINUTE), "quarantined");
  });
});

describe("brakes", () => {
  const failing = (one: Ledger, machine: number): void => {
    ask(one, machine);
    one.report(report(machine, "hashMismatch"), noon);
  };

  test("halt by number, and a person lets it go on", () => {
    const one = under({ halt: { failures: 3, share: 1, ofAtLeast: 100 } });
    for (const machine of [1, 2, 3]) failing(one, machine);
    assert.equal(rollout(one)?.halt?.by, "failures");
    assert.equal(ask(one, 4), "halted");
    one.act({ do: "resume", application: app, group: "prod", version: "2.0.0", who: "ada" }, noon);
    assert.equal(ask(one, 4), "update 2.0.0");
    assert.deepEqual([rollout(one)?.failed, rollout(one)?.granted], [0, 1]);
  });

  test("halt by share, of enough results only", () => {
    const one = under({ halt: { failures: 100, share: 0.5, ofAtLeast: 4 } });
    for (const machine of [1, 2]) {
      ask(one, machine);
      one.report(report(machine, "complete", { version: "2.0.0" }), noon);
    }
    failing(one, 3);
    assert.equal(rollout(one)?.halt, undefined);
    failing(one, 4);
    assert.deepEqual(rollout(one)?.halt, { by: "share", failed: 2, results: 4, at: noon });
  });

  test("goes back to the last good version, and no further", () => {
    const one = under({ halt: { failures: 2, share: 1, ofAtLeast: 100 }, backTo: "last-good" });
    for (const machine of [1, 2, 3, 4]) ask(one, machine);
    one.report(report(1, "complete", { version: "2.0.0" }), noon);
    for (const machine of [2, 3]) one.report(report(machine, "hashMismatch"), noon);
    assert.equal(ask(one, 4, noon + MINUTE), "halted");
    assert.equal(ask(one, 1, noon + MINUTE, { version: "2.0.0" }), "update 1.0.0");
    one.report(report(1, "complete", { version: "1.0.0" }), noon + 2 * MINUTE);
    assert.equal(ask(one, 1, noon + 3 * MINUTE), "halted");
  });

  test("without a signed leave it does not go back where one is needed", () => {
    const policy = { ...open, halt: { failures: 1, share: 1, ofAtLeast: 100 }, backTo: "last-good" as const };
    const one = ledger({ policy, signedDowngrades: true });
    for (const machine of [1, 2]) ask(one, machine);
    one.report(report(1, "complete", { version: "2.0.0" }), noon);
    one.report(report(2, "hashMismatch"), noon);
    assert.equal(ask(one, 1, noon, { version: "2.0.0" }), "downgrade");
  });

  test("a machine must stay well after its restart before it is a success", () => {
    const one = under({ healthSeconds: 300, halt: { failures: 1, share: 1, ofAtLeast: 100 } });
    for (const machine of [1, 2]) {
      ask(one, machine);
      one.report(report(machine, "complete", { version: "2.0.0" }), noon);
    }
    assert.deepEqual([rollout(one)?.ok, taken(one)], [0, 2]);
    one.report(report(2, "hashMismatch", { version: "2.0.0" }), noon + MINUTE);
    assert.equal(rollout(one)?.halt?.by, "failures");
    one.sweep(noon + 6 * MINUTE);
    assert.deepEqual([rollout(one)?.ok, rollout(one)?.failed, taken(one)], [1, 1, 0]);
  });
});

describe("quarantine", () => {
  test("a version that a machine fell back from is not given to it again, until a person says so", () => {
    const one = ledger();
    const boots = { boot: "one" };
    ask(one, 1, noon, boots);
    one.report(report(1, "installed", boots), noon);
    const back = { boot: "two" };
    one.report(report(1, "rolledBack", back), noon + MINUTE);
    assert.equal(ask(one, 1, noon + MINUTE, back), "quarantined");
    one.configure(configuration({ channel: "3.0.0" }));
    assert.equal(ask(one, 1, noon + MINUTE, back), "update 3.0.0");
    one.configure(configuration());
    assert.equal(ask(one, 1, noon + 2 * MINUTE, back), "quarantined");
    one.act({ do: "clear", application: app, machine: machineId(1), who: "ada" }, noon);
    // It goes on saying so in every check of this boot.
    one.report(report(1, "rolledBack", back), noon + 3 * MINUTE);
    assert.equal(ask(one, 1, noon + 3 * MINUTE, back), "update 2.0.0");
    one.report(report(1, "rolledBack", back), noon + 4 * MINUTE);
    assert.equal(ask(one, 1, noon + 4 * MINUTE, back), "update 2.0.0");
  });

  test("what a machine was given in vain so often, it is not given again", () => {
    const one = under({ attempts: 2, grantSeconds: 60 });
    assert.equal(ask(one, 1), "update 2.0.0");
    assert.equal(ask(one, 1, noon + 2 * MINUTE), "update 2.0.0");
    assert.equal(ask(one, 1, noon + 4 * MINUTE), "quarantined");
  });

  test("one that waits for its restart does not try in vain", () => {
    const one = under({ attempts: 1, grantSeconds: 60, atOnce: 1 });
    ask(one, 1);
    one.report(report(1, "installed"), noon);
    assert.equal(ask(one, 2, noon + 2 * MINUTE), "update 2.0.0");
    assert.deepEqual(one.why(app, machineId(1), noon + 2 * MINUTE), {
      code: "updating",
      version: "2.0.0",
      state: "installed",
    });
    assert.equal(ask(one, 1, noon + 9 * HOUR, { version: "2.0.0" }), "current");
  });
});

describe("the wall's clock", () => {
  test("set back, it stops nothing, and breaks no limit", () => {
    const one = under({ atOnce: 1, perPeriod: { count: 1, seconds: 60 }, grantSeconds: 60 });
    ask(one, 1);
    const yesterday = noon - 24 * HOUR;
    assert.equal(ask(one, 2, yesterday), "slots");
    assert.equal(ask(one, 2, yesterday + 59_000), "slots");
    assert.equal(ask(one, 2, yesterday + 60_000), "update 2.0.0");
    assert.equal(one.state.ahead, 24 * HOUR);
  });
});

describe("waves on a fleet", () => {
  test("the canary first, the others by time and success", () => {
    const waves = [
      { percent: 10, afterSeconds: 0, successes: 0 },
      { percent: 100, afterSeconds: 3600, successes: 1 },
    ];
    const one = under({ waves });
    const machines = Array.from({ length: 500 }, (_, machine) => machine);
    const canaries = machines.filter((machine) => ask(one, machine) === "update 2.0.0");
    assert.ok(canaries.length > 25 && canaries.length < 80, `${canaries.length}`);
    const other = machines.find((machine) => !canaries.includes(machine)) ?? 0;
    assert.equal(ask(one, other, noon + HOUR - MINUTE), "wave");
    for (const canary of canaries.slice(1)) one.report(report(canary, "installed"), noon + HOUR - MINUTE);
    assert.equal(ask(one, other, noon + HOUR + MINUTE), "wave");
    const [first = 0] = canaries.slice(1);
    one.report(report(first, "complete", { version: "2.0.0" }), noon + HOUR + MINUTE);
    assert.equal(ask(one, other, noon + HOUR + MINUTE), "update 2.0.0");
  });
});
