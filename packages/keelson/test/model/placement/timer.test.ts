import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeelError } from "../../../src/base/errors.ts";
import { clusterTimerTarget } from "../../../src/model/cluster-timer.ts";
import { readPlacement } from "../../../src/model/placement/read-placement.ts";
import type { Unit } from "../../../src/model/unit.ts";

const timerOf = (text: string, name = "a.timer") => readPlacement(name, `[Timer]\n${text}`).timer;

const unit = (name: string, replicas = 0): Unit => ({
  name,
  desired: "inactive",
  hash: "a".repeat(64),
  replicas,
  restarts: 0,
  generation: 1,
  owner: "",
  created: 0,
  changed: 0,
});

function target(timer: string, text: string, ...units: readonly Unit[]): string | undefined {
  const rules = readPlacement(timer, `[Timer]\nOnCalendar=daily\n${text}`);
  return clusterTimerTarget(timer, rules, new Map(units.map((one) => [one.name, one])))?.instance;
}

describe("[Timer]", () => {
  test("every option of a timer of the cluster is read", () => {
    const timer = timerOf(
      "OnCalendar=daily\nOnCalendar=Mon 12:00\nOnActiveSec=5min\nOnUnitActiveSec=1h\nOnUnitInactiveSec=2\nAccuracySec=1s\nRandomizedDelaySec=10min\nFixedRandomDelay=yes\nPersistent=true\nUnit=b.service\n",
    );
    assert.equal(timer?.calendars.length, 2);
    const { calendars: _, ...rest } = timer ?? { calendars: [] };
    assert.deepEqual(rest, {
      unit: "b.service",
      onActiveMs: [300_000],
      onUnitActiveMs: [3_600_000],
      onUnitInactiveMs: [2000],
      ofMachine: [],
      accuracyMs: 1000,
      randomDelayMs: 600_000,
      fixedDelay: true,
      persistent: true,
    });
    assert.equal(readPlacement("a.service", "[Timer]\nOnCalendar=never\n").timer, undefined);
  });

  test("an empty trigger forgets all before it", () => {
    const timer = timerOf("OnCalendar=daily\nOnBootSec=1\nOnActiveSec=\nOnUnitActiveSec=7\n");
    assert.deepEqual([timer?.calendars, timer?.ofMachine, timer?.onUnitActiveMs], [[], [], [7000]]);
  });

  test("triggers that mean a machine are told apart", () => {
    assert.deepEqual(timerOf("OnBootSec=1\nOnBootSec=2\nOnClockChange=yes\n")?.ofMachine, [
      "OnBootSec",
      "OnClockChange",
    ]);
  });

  test("an instance’s name stands in its calendar", () => {
    assert.notDeepEqual(
      timerOf("OnCalendar=%i\n", "a@daily.timer"),
      timerOf("OnCalendar=%i\n", "a@weekly.timer"),
    );
  });

  test("garbage is refused with its place", () => {
    for (const [text, line] of [
      ["OnCalendar=25:00\n", 2],
      ["OnCalendar=daily\nOnActiveSec=soon\n", 3],
      ["OnCalendar=daily\nRandomizedDelaySec=30 years\n", 3],
    ] as const) {
      assert.throws(
        () => timerOf(text),
        (error) =>
          error instanceof KeelError && error.code === "KEEL-102" && error.details?.["line"] === line,
      );
    }
  });
});

describe("what a timer starts in the cluster", () => {
  test("the unit of its own name, whatever file it is", () => {
    for (const type of ["service", "container", "kube", "pod"])
      assert.equal(target("a.timer", "", unit(`a.${type}`)), `a.${type}`);
    assert.equal(target("a.timer", "", unit("b.service"), unit("a.volume")), undefined);
  });

  test("the one that Unit= names, as a file or as the service that it becomes", () => {
    assert.equal(target("a.timer", "Unit=b.service\n", unit("b.service"), unit("a.service")), "b.service");
    assert.equal(target("a.timer", "Unit=b.service\n", unit("b.container")), "b.container");
    assert.equal(target("a.timer", "Unit=b-pod.service\n", unit("b.pod")), "b.pod");
    assert.equal(target("a.timer", "Unit=b.service\n", unit("b.pod")), undefined);
    assert.equal(target("a.timer", "Unit=b.target\n", unit("b.service")), undefined);
  });

  test("a replica that is there", () => {
    assert.equal(target("a@2.timer", "", unit("a@.service", 2)), "a@2.service");
    assert.equal(target("a@3.timer", "", unit("a@.service", 2)), undefined);
  });

  test("nothing, for a global timer and one beside its unit", () => {
    assert.equal(target("a.timer", "[X-Fleet]\nGlobal=yes\n", unit("a.service")), undefined);
    assert.equal(target("a.timer", "[X-Fleet]\nMachineOf=a.service\n", unit("a.service")), undefined);
    assert.equal(target("a.timer", "[X-Fleet]\nMachineOf=b.service\n", unit("a.service")), "a.service");
  });
});
