import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Board } from "../../src/scheduler/board/board.ts";
import { choose, refusal } from "../../src/scheduler/choice.ts";
import type { Placeable } from "../../src/scheduler/placeable.ts";
import { wantedInstances } from "../../src/scheduler/placeable.ts";
import { compareNumbers, compareRanks, inPlacesOf, rankOf } from "../../src/scheduler/board/site-rank.ts";
import { idOf, Sketch } from "./sketch.ts";

const MiB = 2 ** 20;

const file = (...lines: string[]): string =>
  `[Service]\nExecStart=/bin/true\n[X-Keelson]\n${lines.join("\n")}\n`;

const homes = (cluster: Sketch, template: string, count: number): string[] =>
  Array.from(
    { length: count },
    (_, n) => cluster.where(template.replace("@", `@${n + 1}`))[0] ?? "nowhere",
  ).sort();

describe("spreading", () => {
  test("over the values of a key first, then over machines", () => {
    const cluster = new Sketch();
    for (const [name, zone] of Object.entries({ m1: "a", m2: "a", m3: "a", m4: "b" }))
      cluster.machine(name, { zone });
    cluster.unit("web@.service", file("SpreadOver=zone"), { replicas: 4 }).run();
    assert.deepEqual(homes(cluster, "web@.service", 4), ["m1", "m2", "m4", "m4"]);
  });

  test("the first key before the next; the same value elsewhere is another place", () => {
    const cluster = new Sketch();
    const places = { m1: ["a", "1"], m2: ["a", "1"], m3: ["a", "2"], m4: ["b", "1"], m5: ["b", "1"] };
    for (const [name, [zone = "", rack = ""]] of Object.entries(places))
      cluster.machine(name, { zone, rack });
    cluster.unit("web@.service", file("SpreadOver=zone rack"), { replicas: 4 }).run();
    assert.deepEqual(homes(cluster, "web@.service", 4), ["m1", "m3", "m4", "m5"]);
    const because = cluster.schedule.get(idOf("m3"))?.get("web@3.service")?.because;
    assert.equal(because, "no other of web@.service in zone=a, rack=2, fewest units (0)");
  });

  test("machines without the key are one place", () => {
    const cluster = new Sketch().machine("m1", { zone: "a" }).machine("m2").machine("m3");
    cluster.unit("web@.service", file("SpreadOver=zone"), { replicas: 2 }).run();
    assert.deepEqual(homes(cluster, "web@.service", 2), ["m1", "m2"]);
  });

  test("a replica that is lost comes back where the fewest are", () => {
    const cluster = new Sketch();
    for (const [name, zone] of Object.entries({ m1: "a", m2: "a", m3: "b", m4: "b" }))
      cluster.machine(name, { zone });
    cluster.unit("web@.service", file("SpreadOver=zone"), { replicas: 2 }).run();
    assert.deepEqual(homes(cluster, "web@.service", 2), ["m1", "m3"]);
    cluster.obey().lose("m3").run(20_000);
    assert.deepEqual(homes(cluster, "web@.service", 2), ["m1", "m4"]);
  });
});

describe("preferring", () => {
  test("the first preference outranks the others together, and none is a condition", () => {
    const cluster = new Sketch().machine("m1").machine("m2", { net: "10g", gpu: "yes" });
    cluster.machine("m3", { disk: "ssd" });
    cluster.unit("a.service", file("Prefer=disk=ssd", 'Prefer="net=10g" "gpu=yes"')).run();
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
    cluster.unit("b.service", file("Prefer=disk=nvme", "Prefer=net=10g")).run();
    assert.deepEqual(cluster.where("b.service"), ["m2"]);
    cluster.unit("c.service", file("Prefer=disk=nvme")).run();
    assert.deepEqual(cluster.where("c.service"), ["m1"]);
    const because = cluster.schedule.get(idOf("m3"))?.get("a.service")?.because;
    assert.equal(because, "preferred for disk=ssd, fewest units (0)");
  });

  test("replicas are spread before they go where they had better be", () => {
    const cluster = new Sketch().machine("m1").machine("m2", { disk: "ssd" }).machine("m3", { disk: "ssd" });
    cluster.unit("web@.service", file("Prefer=disk=ssd"), { replicas: 3 }).run();
    assert.deepEqual(cluster.where("web@1.service"), ["m2"]);
    assert.deepEqual(homes(cluster, "web@.service", 3), ["m1", "m2", "m3"]);
  });
});

describe("room", () => {
  test("who asks goes where the largest share is free, who does not where the fewest units are", () => {
    const cluster = new Sketch()
      .machine("m1")
      .machine("m2", {}, { allocatable: { cpus: 8, memoryBytes: 4096 * MiB } });
    cluster.unit("a.service", file("MemoryRequest=512M")).run();
    assert.deepEqual(cluster.where("a.service"), ["m1"], "all is free on both: the lower id");
    cluster.unit("b.service", file("MemoryRequest=512M")).run();
    cluster.unit("c.service", file("MemoryRequest=512M")).run();
    assert.deepEqual([cluster.where("b.service"), cluster.where("c.service")], [["m2"], ["m2"]]);
    cluster.unit("d.service").run();
    assert.deepEqual(cluster.where("d.service"), ["m1"]);
    const because = cluster.schedule.get(idOf("m2"))?.get("c.service")?.because;
    assert.equal(because, "most room (87 % free)");
  });

  test("the scarcer of memory and processors counts", () => {
    const cluster = new Sketch().machine("m1").machine("m2");
    cluster.unit("a.service", file("CPURequest=1.5")).run();
    cluster.unit("b.service", file("MemoryRequest=400M")).run();
    assert.deepEqual([cluster.where("a.service"), cluster.where("b.service")], [["m1"], ["m2"]]);
    cluster.unit("c.service", file("MemoryRequest=100M", "CPURequest=0.2")).run();
    assert.deepEqual(cluster.where("c.service"), ["m2"]);
  });

  test("a leader goes where its followers have room, too", () => {
    const cluster = new Sketch()
      .machine("m1")
      .machine("m2", {}, { allocatable: { cpus: 2, memoryBytes: 2048 * MiB } });
    cluster.unit("x.service", file("MemoryRequest=1100M")).run();
    cluster.unit("y.service", `${file("MemoryRequest=200M")}[X-Fleet]\nMachineID=m1\n`).run();
    cluster.unit(
      "log.service",
      `[Service]\nExecStart=/bin/true\nMemoryMax=900M\n[X-Fleet]\nMachineOf=web.service\n`,
    );
    cluster.unit("web.service", file("MemoryRequest=20M")).run();
    assert.deepEqual([cluster.where("web.service"), cluster.where("log.service")], [["m2"], ["m2"]]);
  });
});

const values = fc.constantFrom("a", "b", "c");
const aMachine = fc.record({
  zone: fc.option(values, { nil: undefined }),
  rack: values,
  memory: fc.integer({ min: 100, max: 1000 }),
  cpus: fc.integer({ min: 1, max: 4 }),
});
const aUnit = fc.record({
  template: fc.constantFrom("web@", "db@", "x", "y", "z"),
  lines: fc.uniqueArray(
    fc.constantFrom(
      "MemoryRequest=90M",
      "CPURequest=0.7",
      "Prefer=rack=b",
      "Prefer=zone=a",
      "Owner=somebody",
    ),
  ),
  spread: fc.constantFrom("", "SpreadOver=zone", "SpreadOver=zone rack", "SpreadOver=rack"),
  condition: fc.option(values, { nil: undefined, freq: 4 }),
  leaves: fc.boolean(),
});

test("the machine that is found in a hurry is the best of all that take the unit", () => {
  fc.assert(
    fc.property(
      fc.array(aMachine, { minLength: 1, maxLength: 8 }),
      fc.array(aUnit, { minLength: 1, maxLength: 40 }),
      (machines, units) => {
        const cluster = new Sketch();
        for (const [n, { zone, rack, memory, cpus }] of machines.entries()) {
          const metadata = zone === undefined ? { rack } : { zone, rack };
          cluster.machine(`m${n + 1}`, metadata, { allocatable: { cpus, memoryBytes: memory * MiB } });
        }
        for (const [n, { template, lines, spread, condition }] of units.entries()) {
          const isTemplate = template.endsWith("@");
          const where = condition === undefined ? "" : `[X-Fleet]\nMachineMetadata=rack=${condition}\n`;
          const body = `${file(...lines, isTemplate ? spread : "")}${where}`;
          cluster.unit(isTemplate ? `${template}${n}.service` : `${template}${n}.service`, body);
        }
        const snapshot = cluster.snapshot();
        const board = new Board(snapshot.machines.values(), snapshot.settings.overcommit);
        const placed: [string, Placeable][] = [];
        const all = [...wantedInstances(snapshot, cluster.placements, cluster.wallMs()).placeables.values()];
        for (const [n, unit] of all.entries()) {
          const choice = choose(unit, board, []);
          const best = [...board.sites()]
            .filter((site) => refusal(unit, site, board) === undefined)
            .sort(
              (a, b) =>
                compareNumbers(inPlacesOf(unit, a, board), inPlacesOf(unit, b, board)) ||
                compareRanks(rankOf(unit, a, board), rankOf(unit, b, board)),
            )[0];
          assert.equal("site" in choice ? choice.site.machine.name : undefined, best?.machine.name);
          if (best === undefined) continue;
          board.put(best.machine.id, unit);
          placed.push([best.machine.id, unit]);
          const [leaver] = placed;
          if (!units[n]?.leaves || leaver === undefined) continue;
          board.take(...leaver);
          placed.shift();
        }
      },
    ),
    { numRuns: Number(process.env["KEELSON_RUNS"] ?? 500) },
  );
});
