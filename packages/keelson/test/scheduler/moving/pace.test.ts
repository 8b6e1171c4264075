// Drains of random machines under random orders of obedience: what must hold at every moment, and in the end.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, Sketch } from "../sketch.ts";

const world = fc.record({
  machines: fc.integer({ min: 2, max: 5 }),
  replicas: fc.integer({ min: 1, max: 7 }),
  maxUnavailable: fc.integer({ min: 1, max: 3 }),
  maxSurge: fc.integer({ min: 0, max: 2 }),
  steps: fc.array(
    fc.oneof(
      fc.record({ do: fc.constantFrom("obey", "drain", "reopen"), machine: fc.nat(4) }),
      fc.record({ do: fc.constant("pass"), machine: fc.nat(4) }),
    ),
    { maxLength: 60 },
  ),
});

test("property: of a template no more are down or twice than its file allows, and a drained machine gets empty", () => {
  fc.assert(
    fc.property(world, ({ machines, replicas, maxUnavailable, maxSurge, steps }) => {
      const cluster = new Sketch();
      const names = Array.from({ length: machines }, (_, n) => `m${n + 1}`);
      for (const name of names) cluster.machine(name);
      const limits = `MaxUnavailable=${maxUnavailable}\nMaxSurge=${maxSurge}\n`;
      const body = `[Service]\nExecStart=/bin/true\n[X-Keelson]\n${limits}`;
      cluster.unit("web@.service", body, { replicas }).unit("one.service");
      cluster.run();
      cluster.obey();
      const running = (): string[] =>
        [...cluster.statuses.values()].flatMap((statuses) =>
          [...statuses.values()].filter(({ active }) => active === "active").map(({ unit }) => unit),
        );
      const holds = (): void => {
        const all = running();
        const web = all.filter((unit) => unit !== "one.service");
        assert.ok(new Set(web).size >= replicas - maxUnavailable, `only ${web.join()} run`);
        assert.ok(web.length <= replicas + maxSurge, `${web.join()} run`);
        assert.ok(all.length - web.length <= 1, "a singleton runs twice");
      };
      const isClosed = (name: string): boolean => cluster.machineSettings.has(idOf(name));
      for (const { do: what, machine } of steps) {
        const name = names[machine % machines] ?? "m1";
        if (what === "pass") cluster.run(1000);
        else if (what === "obey") cluster.obey(name);
        else if (what === "reopen") cluster.reopen(name);
        else if (names.some((other) => other !== name && !isClosed(other))) cluster.drain(name);
        holds();
      }
      for (let round = 0; round < 40; round++) {
        cluster.run(1000);
        for (const name of names) {
          cluster.obey(name);
          holds();
        }
      }
      for (const name of names.filter(isClosed)) assert.equal(cluster.schedule.has(idOf(name)), false, name);
      assert.equal(running().length, replicas + 1);
    }),
    { numRuns: Number(process.env["KEELSON_RUNS"] ?? 300) },
  );
});
