import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BootRecord, Verdict } from "../../../src/updater/boot-records.ts";
import type { FailedVersion } from "../../../src/updater/failed-versions.ts";
import { baselineOf } from "../../../src/updater/gate/baseline.ts";
import type { Baseline, GateFacts } from "../../../src/updater/gate/decision.ts";
import { lookEveryMs, runGate } from "../../../src/updater/gate/gate.ts";
import type { GateMachine } from "../../../src/updater/gate/gate.ts";
import { parseUnits } from "../../../src/updater/gate/machine.ts";
import { parseDeadline, parseTrial } from "../../../src/updater/gate/this-machine.ts";

const good: Omit<GateFacts, "seconds"> = {
  booted: true,
  jobs: [],
  keeld: { active: true, answers: true, store: true },
  units: [],
};
const bad = { ...good, keeld: { active: false, answers: false } };

interface Given {
  readonly trial?: GateMachine["trial"];
  /** At each look; the last one stays. An error is a look that failed. */
  readonly looks?: readonly (Omit<GateFacts, "seconds"> | Error)[];
  readonly broken?: readonly (keyof GateMachine)[];
  readonly boots?: readonly BootRecord[];
  readonly entries?: Awaited<ReturnType<GateMachine["entries"]>>;
}

/** A machine whose clock runs only while the gate waits. */
function machine(given: Given) {
  const seen = {
    did: [] as string[],
    said: [] as string[],
    verdicts: [] as Verdict[],
    failed: new Map<string, FailedVersion>(),
    baseline: undefined as Baseline | undefined,
  };
  let seconds = 10;
  const looks = [...(given.looks ?? [good])];
  const refuse = (what: keyof GateMachine): Promise<never> => Promise.reject(new Error(`no ${what}`));
  const does = (what: keyof GateMachine, words: string): Promise<void> => {
    if (given.broken?.includes(what)) return refuse(what);
    seen.did.push(words);
    return Promise.resolve();
  };
  const here: GateMachine = {
    clock: {
      now: () => seconds * 1000,
      wall: () => 1_800_000_000_000 + seconds * 1000,
      sleep: (ms) => {
        assert.equal(ms, lookEveryMs);
        seconds += ms / 1000;
        return Promise.resolve();
      },
      timer: () => assert.fail("no timer"),
    },
    version: "1.1.0",
    boot: "b1",
    trial: given.trial,
    deadline: 60,
    seconds: () => Promise.resolve(seconds),
    look: () => {
      const look = (looks.length > 1 ? looks.shift() : looks[0]) ?? good;
      return look instanceof Error ? Promise.reject(look) : Promise.resolve(look);
    },
    baseline: {
      read: () => Promise.resolve(undefined),
      write: (baseline) => {
        seen.baseline = baseline;
        return does("baseline", "baseline");
      },
    },
    records: {
      read: () => Promise.resolve(given.boots ?? []),
      addVerdict: (_boot, verdict) => {
        seen.verdicts.push(verdict);
        return does("records", `verdict ${verdict.verdict}`);
      },
    },
    failed: {
      get: (version) => Promise.resolve(seen.failed.get(version)),
      record: (one) => {
        seen.failed.set(one.version, one);
        return does("failed", `failed ${one.version}`);
      },
      forget: (version) => does("failed", `forget ${version}`),
    },
    entries: () =>
      given.broken?.includes("entries") ? refuse("entries") : Promise.resolve(given.entries ?? []),
    bless: (version) => does("bless", `bless ${version}`),
    journalEnd: (boot) => Promise.resolve(`journal of ${boot}\n`),
    markBlessed: () => does("markBlessed", "mark"),
    restart: (reason) => does("restart", `restart: ${reason}`),
    say: (text) => void seen.said.push(text),
  };
  return { here, seen };
}

describe("carrying out what the gate decides", () => {
  const trial = { left: 2, done: 1 };

  test("a good boot on trial is blessed once, put on record, and measured for the next one", async () => {
    const { here, seen } = machine({ trial, looks: [bad, bad, good] });
    assert.equal((await runGate(here)).kind, "healthy");
    assert.deepEqual(seen.did, ["mark", "bless 1.1.0", "forget 1.1.0", "verdict good", "baseline"]);
    assert.equal(seen.baseline?.version, "1.1.0");
  });

  test("a good boot that is not on trial blesses nothing", async () => {
    const { here, seen } = machine({});
    await runGate(here);
    assert.deepEqual(seen.did, ["mark", "verdict good", "baseline"]);
  });

  test("a bad one on trial: verdict, reason and journal are kept before it restarts", async () => {
    const { here, seen } = machine({ trial, looks: [bad] });
    const verdict = await runGate(here);
    assert.equal(verdict.kind, "failed");
    assert.deepEqual(seen.did.slice(0, 2), ["verdict failed", "failed 1.1.0"]);
    assert.match(seen.did[2] ?? "", /^restart: not healthy within 60 s/);
    assert.deepEqual(seen.failed.get("1.1.0")?.journal, "journal of b1\n");
    assert.equal(seen.failed.get("1.1.0")?.tries, 1);
    assert.equal(seen.baseline, undefined, "a bad version is no measure");
  });

  test("a bad one that is not on trial only says so", async () => {
    const { here, seen } = machine({ looks: [bad] });
    assert.equal((await runGate(here)).kind, "failed");
    assert.deepEqual(seen.did, ["verdict unhealthy", "baseline"]);
    assert.ok(seen.said.includes("keeld is not up"));
  });

  test("on a full disk it restarts all the same", async () => {
    const { here, seen } = machine({ trial, looks: [bad], broken: ["records", "failed", "baseline"] });
    await runGate(here);
    assert.match(seen.did.join(), /^restart/);
  });

  test("an ESP that cannot be written fails the gate, and nothing ends the boot for it", async () => {
    const { here, seen } = machine({ trial, broken: ["bless"] });
    await assert.rejects(runGate(here), /no bless/);
    assert.deepEqual(seen.did, ["mark"]);
  });

  test("systemd that does not answer is waited for until the deadline", async () => {
    const { here, seen } = machine({ trial, looks: [new Error("timed out")] });
    await runGate(here);
    assert.match(seen.verdicts[0]?.reasons.join() ?? "", /systemd does not answer \(timed out\)/);
    assert.match(seen.did.join(), /restart/);
  });

  test("the next good boot notes the version that used up its tries, once, with its last journal", async () => {
    const boots: BootRecord[] = [
      { boot: "b0", version: "1.2.0", slot: "b", trial: { left: 0, done: 3 }, at: 1, commandLine: "" },
    ];
    const entries = [{ version: "1.1.0" }, { version: "1.2.0", tries: { left: 0, done: 3 } }];
    const { here, seen } = machine({ boots, entries });
    await runGate(here);
    const noted = seen.failed.get("1.2.0");
    assert.equal(noted?.tries, 3);
    assert.equal(noted?.journal, "journal of b0\n");
    assert.match(noted?.reasons[0] ?? "", /cut off/);
    seen.did.length = 0;
    await runGate(here);
    assert.ok(!seen.did.includes("failed 1.2.0"));
  });

  test("an ESP that cannot be read is no reason to call a good boot bad", async () => {
    const { here, seen } = machine({ broken: ["entries"] });
    assert.equal((await runGate(here)).kind, "healthy");
    assert.ok(seen.said.some((text) => text.startsWith("failed versions cannot be put on record")));
  });
});

test("units out of systemctl's words", () => {
  const shown = `Id=ssh.socket
ActiveState=active
LoadState=loaded
ConditionResult=yes
ConditionTimestampMonotonic=5
WantedBy=sockets.target
RequiredBy=
StateChangeTimestampMonotonic=10000000

Id=gone.service
ActiveState=inactive
LoadState=not-found

Id=web.service
ActiveState=failed
LoadState=loaded
ConditionResult=no
ConditionTimestampMonotonic=0
WantedBy=
RequiredBy=other.service
StateChangeTimestampMonotonic=0
`;
  const units = parseUnits(shown, { uptime: 42, scheduled: new Set(["web.service"]) });
  const common = { skipped: false };
  assert.deepEqual(units, [
    { name: "ssh.socket", active: "active", seconds: 32, standing: true, scheduled: false, ...common },
    { name: "web.service", active: "failed", seconds: 0, standing: false, scheduled: true, ...common },
  ]);
  assert.deepEqual(parseUnits("garbage\n\n=\n", { uptime: 1, scheduled: new Set() }), []);
});

test("what a later version is measured by", () => {
  const unit = { seconds: 1, standing: true, scheduled: false, skipped: false };
  const baseline = baselineOf(
    {
      ...good,
      keeld: { active: true, answers: true, store: false },
      units: [
        { ...unit, name: "a.service", active: "active" },
        { ...unit, name: "b.service", active: "failed" },
        { ...unit, name: "c.service", active: "active", standing: false },
        { ...unit, name: "web.service", active: "active", standing: false, scheduled: true },
      ],
    },
    { version: "1.0.0", at: 9 },
  );
  assert.deepEqual(baseline, {
    version: "1.0.0",
    at: 9,
    keeld: true,
    store: false,
    failed: ["b.service"],
    active: ["a.service"],
    scheduled: ["web.service"],
  });
});

test("the deadline stays within its bounds, and a mark that cannot be read is no trial", () => {
  assert.equal(parseDeadline(""), 300);
  assert.equal(parseDeadline("DEADLINE_SECONDS=120\n"), 120);
  assert.equal(parseDeadline("DEADLINE_SECONDS=1\n"), 30);
  assert.equal(parseDeadline("DEADLINE_SECONDS=99999\n"), 3600);
  assert.equal(parseDeadline("DEADLINE_SECONDS=soon\n"), 300);
  assert.deepEqual(parseTrial("left=0 done=3\n"), { left: 0, done: 3 });
  assert.equal(parseTrial("left=x"), undefined);
  assert.equal(parseTrial(undefined), undefined);
});
