import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { UnitStatus } from "../../src/model/schedule.ts";
import { findCircles } from "../../src/scheduler/circles.ts";
import { idOf, Sketch, threeMachines } from "./sketch.ts";

const file = (lines: string): string => `[Service]\nExecStart=/bin/sleep 9\n[X-Keelson]\n${lines}\n`;

/** What the machine reports of a unit, with some of it changed. */
function report(sketch: Sketch, unit: string, changes: Partial<UnitStatus>): void {
  for (const [id, entries] of sketch.schedule) {
    const entry = entries.get(unit);
    if (entry === undefined || !sketch.machines.has(id)) continue;
    const statuses = sketch.statuses.get(id) ?? new Map<string, UnitStatus>();
    sketch.statuses.set(id, statuses.set(unit, { ...sketch.status(entry), ...changes }));
  }
}

/** A pass, and all machines have done what it says. */
function step(sketch: Sketch, ms = 0): void {
  sketch.run(ms);
  sketch.obey();
}

function forget(sketch: Sketch, unit: string): Sketch {
  sketch.units.delete(unit);
  return sketch;
}

const reasonOf = (sketch: Sketch, unit: string): string => sketch.pass().unplaced.get(unit)?.reason ?? "";
const isFinal = (sketch: Sketch, unit: string): boolean | undefined =>
  sketch.pass().unplaced.get(unit)?.final;

describe("starts wait for health", () => {
  test("of several submitted at once each starts when what it names is healthy", () => {
    const sketch = threeMachines().unit("db.service").unit("app.service", file("AfterUnit=db.service"));
    sketch.unit("web.service", file("AfterUnit=app.service"));
    const plan = sketch.run();
    assert.deepEqual(sketch.where("app.service"), []);
    assert.ok(plan.awaitsReports, "a report may set them free");
    assert.equal(
      reasonOf(sketch, "app.service"),
      "waits for db.service to be healthy (it is about to start on m1)",
    );
    assert.equal(
      reasonOf(sketch, "web.service"),
      "waits for app.service to be healthy (it waits for db.service to be healthy)",
    );
    assert.equal(sketch.why("web.service")[0]?.waitsFor, reasonOf(sketch, "web.service"));
    report(sketch, "db.service", { health: "starting" });
    assert.equal(
      reasonOf(sketch, "app.service"),
      "waits for db.service to be healthy (it is starting on m1)",
    );
    sketch.obey().run();
    assert.deepEqual(sketch.where("app.service"), ["m2"]);
    sketch.obey().run();
    assert.deepEqual(sketch.where("web.service"), ["m3"]);
    assert.equal(sketch.obey().run().awaitsReports, false);
  });

  for (const [state, changes, words, final] of [
    [
      "unhealthy",
      { health: "unhealthy", reason: "GET :80/: 503" },
      "it is unhealthy on m1: GET :80/: 503",
      false,
    ],
    [
      "failed",
      { health: "failed", active: "failed", reason: "exit status 1" },
      "it has failed on m1: exit status 1",
      true,
    ],
    ["ended", { health: "stopped", active: "inactive" }, "it has ended on m1", true],
    ["of an older file", { hash: "0" }, "it is on its way on m1", false],
  ] as const) {
    test(`one that is ${state} is waited for with its reason`, () => {
      const sketch = threeMachines().unit("db.service").unit("web.service", file("AfterUnit=db.service"));
      sketch.run();
      report(sketch, "db.service", changes);
      assert.equal(reasonOf(sketch, "web.service"), `waits for db.service to be healthy (${words})`);
      assert.equal(isFinal(sketch, "web.service"), final);
    });
  }

  test("what runs is left alone, whatever becomes of the dependency", () => {
    const sketch = threeMachines().unit("db.service").unit("web.service", file("RequiresUnit=db.service"));
    sketch.run();
    sketch.obey().run();
    sketch.obey();
    report(sketch, "db.service", { health: "failed", active: "failed" });
    assert.deepEqual(sketch.pass().groups, []);
    report(sketch, "db.service", { health: "unhealthy" });
    assert.deepEqual(sketch.pass().groups, []);
  });

  test("a template means all of its instances", () => {
    const sketch = threeMachines().unit("db@.service", "", { replicas: 2 });
    sketch.unit("web.service", file("AfterUnit=db@.service"));
    sketch.run();
    report(sketch, "db@1.service", {});
    assert.match(reasonOf(sketch, "web.service"), /^waits for db@2\.service to be healthy/);
    sketch.obey().run();
    assert.equal(sketch.where("web.service").length, 1);
  });

  test("of a global unit every machine that reports counts", () => {
    const sketch = threeMachines().unit("agent.service", "Global=true");
    sketch.unit("web.service", file("AfterUnit=agent.service"));
    sketch.run();
    sketch.obey("m1", "m2");
    assert.equal(
      reasonOf(sketch, "web.service"),
      "waits for agent.service to be healthy (it is about to start on m3)",
    );
    sketch.lose("m3");
    sketch.run();
    assert.equal(sketch.where("web.service").length, 1);
  });

  test("a global unit waits, too", () => {
    const sketch = threeMachines().unit("db.service");
    sketch.unit("agent.service", `${file("AfterUnit=db.service")}[X-Fleet]\nGlobal=true\n`);
    sketch.run();
    assert.deepEqual(sketch.where("agent.service"), []);
    sketch.obey().run();
    assert.equal(sketch.where("agent.service").length, 3);
  });

  test("what is stopped on its machine and is to start again waits there", () => {
    const sketch = threeMachines().unit("db.service", "", { desired: "loaded" });
    sketch.unit("web.service", file("AfterUnit=db.service"), { desired: "loaded" });
    sketch.run();
    sketch.obey();
    const [machine] = sketch.where("web.service");
    sketch.desire("web.service", "launched").run();
    assert.equal(reasonOf(sketch, "web.service"), "waits for db.service, which nobody has started");
    assert.equal(sketch.schedule.get(idOf(machine ?? ""))?.get("web.service")?.desired, "loaded");
    sketch.desire("db.service", "launched").run();
    sketch.obey().run();
    assert.equal(sketch.schedule.get(idOf(machine ?? ""))?.get("web.service")?.desired, "launched");
  });
});

describe("nothing waits in silence", () => {
  test("for what nobody knows, or nobody has started", () => {
    const sketch = threeMachines().unit("other.service", "", { desired: "inactive" });
    sketch.unit("empty@.service", "", { replicas: 0 });
    sketch.unit("a.service", file("AfterUnit=nobody.service"));
    sketch.unit("b.service", file("RequiresUnit=other.service"));
    sketch.unit("c.service", file("AfterUnit=empty@.service"));
    assert.equal(reasonOf(sketch, "a.service"), "waits for nobody.service, which the cluster does not have");
    assert.equal(reasonOf(sketch, "b.service"), "requires other.service, which nobody has started");
    assert.equal(reasonOf(sketch, "c.service"), "waits for empty@.service, which has no instances");
    for (const name of ["a.service", "b.service", "c.service"]) assert.equal(isFinal(sketch, name), true);
  });

  test("for what has no machine: its reason is told along", () => {
    const sketch = threeMachines().unit("db.service", "MachineMetadata=disk=ssd");
    sketch.unit("web.service", file("AfterUnit=db.service"));
    assert.match(
      reasonOf(sketch, "web.service"),
      /^waits for db\.service to be healthy \(no machine fits: .*disk=ssd/,
    );
    assert.equal(isFinal(sketch, "web.service"), true);
  });

  test("for itself: circles are named", () => {
    const sketch = threeMachines().unit("a.service", file("AfterUnit=b.service"));
    sketch.unit("b.service", file("RequiresUnit=c.service")).unit("c.service", file("AfterUnit=a.service"));
    sketch.unit("d.service", file("AfterUnit=a.service"));
    assert.equal(
      reasonOf(sketch, "b.service"),
      "waits for itself: its dependencies go in a circle (b.service → c.service → a.service → b.service)",
    );
    assert.equal(isFinal(sketch, "a.service"), true);
    assert.match(reasonOf(sketch, "d.service"), /^waits for a\.service to be healthy \(it waits for itself/);
    assert.equal(isFinal(sketch, "d.service"), true);
  });

  test("a circle through company is one, company alone is none", () => {
    const sketch = threeMachines().unit("a.service", file("AfterUnit=b.service"));
    sketch.unit("b.service", "MachineOf=a.service");
    assert.match(reasonOf(sketch, "a.service"), /in a circle \(a\.service → b\.service → a\.service\)/);
    const none = findCircles(["a", "b"], {
      gatesOf: () => [],
      companyOf: (name) => [name === "a" ? "b" : "a"],
    });
    assert.equal(none.size, 0);
  });

  test("circles are found exactly where there are any", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const edge = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names));
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 14 }), (edges) => {
        const gatesOf = (name: string): string[] =>
          edges.flatMap(([from, to]) => (from === name ? [to] : []));
        const circles = findCircles(names, { gatesOf, companyOf: () => [] });
        for (const name of names) {
          const reached = new Set(gatesOf(name));
          for (const one of reached) for (const next of gatesOf(one)) reached.add(next);
          assert.equal(circles.has(name), reached.has(name), name);
          const circle = circles.get(name) ?? [];
          for (const [at, one] of circle.entries())
            assert.ok(gatesOf(one).includes(circle[(at + 1) % circle.length] ?? ""));
          if (circle.length > 0) assert.equal(circle[0], name);
        }
      }),
    );
  });
});

describe("RequiresUnit", () => {
  const running = (): Sketch => {
    const sketch = threeMachines().unit("disk.service");
    sketch.unit("db.service", file("RequiresUnit=disk.service"));
    sketch.unit("web.service", file("RequiresUnit=db.service"));
    for (let turn = 0; turn < 4; turn++) step(sketch);
    for (const unit of ["disk.service", "db.service", "web.service"])
      assert.equal(sketch.where(unit).length, 1);
    return sketch;
  };

  for (const [how, change] of [
    ["stopped", (sketch: Sketch) => sketch.desire("disk.service", "loaded")],
    ["unloaded", (sketch: Sketch) => sketch.desire("disk.service", "inactive")],
    ["destroyed", (sketch: Sketch) => forget(sketch, "disk.service")],
  ] as const) {
    test(`what is ${how} takes along those that require it, and theirs`, () => {
      const sketch = change(running());
      const plan = sketch.run();
      assert.deepEqual(sketch.where("db.service"), []);
      assert.deepEqual(sketch.where("web.service"), []);
      const because = plan.groups
        .flatMap(({ writes }) => writes)
        .flatMap((it) => ("because" in it ? [it.because] : []));
      assert.ok(because.includes("disk.service, which it requires, is not wanted any more"), because.join());
      sketch.obey().run();
      assert.match(
        reasonOf(sketch, "db.service"),
        /^requires disk\.service, which (nobody has started|the cluster does not have)$/,
      );
      assert.deepEqual(sketch.obey().pass().groups, [], "nothing goes to and fro");
    });
  }

  test("wanted again and healthy again, it brings them back", () => {
    const sketch = running().desire("disk.service", "loaded");
    for (let turn = 0; turn < 2; turn++) step(sketch);
    sketch.desire("disk.service", "launched");
    for (let turn = 0; turn < 4; turn++) step(sketch);
    for (const unit of ["disk.service", "db.service", "web.service"])
      assert.equal(sketch.where(unit).length, 1, unit);
  });

  test("AfterUnit alone stops nothing", () => {
    const sketch = threeMachines().unit("db.service").unit("web.service", file("AfterUnit=db.service"));
    for (let turn = 0; turn < 3; turn++) step(sketch);
    sketch.units.delete("db.service");
    sketch.run();
    assert.equal(sketch.where("web.service").length, 1);
  });
});

describe("a lost machine", () => {
  const both = (option: string): Sketch => {
    const sketch = new Sketch().machine("m1").machine("m2");
    sketch
      .unit("db.service", "MachineID=m1")
      .unit("web.service", `${file(`${option}=db.service`)}[X-Fleet]\nMachineOf=db.service\n`);
    for (let turn = 0; turn < 3; turn++) step(sketch);
    assert.deepEqual(sketch.where("web.service"), ["m1"]);
    return sketch.unit("db.service").unit("web.service", file(`${option}=db.service`));
  };

  for (const option of ["AfterUnit", "RequiresUnit"]) {
    test(`${option}: both move, and the second waits for the first to be healthy there`, () => {
      const sketch = both(option);
      sketch.lose("m1", sketch.nowMs - 10_000);
      sketch.run(10_000);
      assert.deepEqual(sketch.where("db.service"), ["m2"]);
      assert.deepEqual(sketch.where("web.service"), ["m1"], "its order stands until it may move");
      sketch.obey().run();
      assert.deepEqual(sketch.where("web.service"), ["m2"]);
    });
  }

  test("one that has run moves without an AfterUnit that is down for good, and not without a RequiresUnit", () => {
    for (const option of ["AfterUnit", "RequiresUnit"]) {
      const sketch = new Sketch().machine("m1").machine("m2").unit("db.service", "MachineID=m2");
      sketch.unit("web.service", `${file(`${option}=db.service`)}[X-Fleet]\nMachineID=m1\n`);
      for (let turn = 0; turn < 3; turn++) step(sketch);
      report(sketch, "db.service", { health: "failed", active: "failed" });
      sketch.unit("web.service", file(`${option}=db.service`)).lose("m1", sketch.nowMs - 10_000);
      sketch.run(10_000);
      assert.deepEqual(sketch.where("web.service"), option === "AfterUnit" ? ["m2"] : ["m1"], option);
    }
  });

  test("MachineOf followers go where their leader goes, when it is lost and when it is drained", () => {
    const follower = `${file("AfterUnit=db.service")}[X-Fleet]\nMachineOf=db.service\n`;
    const sketch = threeMachines().unit("db.service").unit("web.service", follower);
    const settle = (): void => {
      for (let turn = 0; turn < 6; turn++) step(sketch, 1000);
    };
    settle();
    const [first = ""] = sketch.where("db.service");
    assert.deepEqual(sketch.where("web.service"), [first]);
    sketch.lose(first, sketch.nowMs - 10_000).run(10_000);
    settle();
    const [second = ""] = sketch.where("db.service");
    assert.notEqual(second, first);
    assert.deepEqual(sketch.where("web.service"), [second]);
    sketch.drain(second);
    settle();
    const [third = ""] = sketch.where("db.service");
    assert.notEqual(third, second);
    assert.deepEqual(sketch.where("web.service"), [third]);
  });
});

describe("whatever the dependencies", () => {
  const names = ["a", "b", "c", "d", "e"].map((letter) => `${letter}.service`);
  const dependency = fc.record({
    from: fc.constantFrom(...names),
    to: fc.constantFrom(...names, "gone.service"),
    option: fc.constantFrom("AfterUnit", "RequiresUnit"),
  });
  const desired = fc.array(fc.constantFrom("launched", "launched", "launched", "loaded", "inactive"), {
    minLength: names.length,
    maxLength: names.length,
  });

  test("a start is given only with all that it names healthy, and whoever waits has a reason", () => {
    fc.assert(
      fc.property(fc.array(dependency, { maxLength: 8 }), desired, (dependencies, states) => {
        const sketch = threeMachines();
        const others = (name: string, option: string): string[] =>
          dependencies.flatMap((it) =>
            it.from === name && it.to !== name && it.option === option ? [it.to] : [],
          );
        for (const [at, name] of names.entries()) {
          const lines = ["AfterUnit", "RequiresUnit"].flatMap((option) => {
            const named = others(name, option);
            return named.length === 0 ? [] : [`${option}=${named.join(" ")}`];
          });
          sketch.unit(name, file(lines.join("\n")), { desired: states[at] ?? "launched" });
        }
        for (let turn = 0; turn < 2 * names.length; turn++) {
          const well = new Set(
            [...sketch.statuses.values()].flatMap((all) =>
              [...all.values()].flatMap((it) => (it.health === "healthy" ? [it.unit] : [])),
            ),
          );
          const before = new Set(names.filter((name) => sketch.where(name).length > 0));
          sketch.run(1000);
          for (const name of names) {
            if (before.has(name) || sketch.units.get(name)?.desired !== "launched") continue;
            const needs = [...others(name, "AfterUnit"), ...others(name, "RequiresUnit")];
            if (sketch.where(name).length > 0)
              assert.ok(
                needs.every((one) => well.has(one)),
                name,
              );
          }
          sketch.obey();
        }
        const plan = sketch.run(1000);
        assert.deepEqual(plan.groups, [], "it comes to rest");
        for (const name of names) {
          if (sketch.units.get(name)?.desired !== "launched" || sketch.where(name).length > 0) continue;
          assert.ok(plan.unplaced.get(name)?.final, `${name}: ${plan.unplaced.get(name)?.reason}`);
          assert.match(plan.unplaced.get(name)?.reason ?? "", /^(waits for|requires) /);
        }
      }),
      { numRuns: 150 },
    );
  });
});
