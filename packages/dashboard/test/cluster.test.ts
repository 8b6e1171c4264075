import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { applyChange } from "../src/api/apply-change.ts";
import { FormError, decodeChange, decodeCluster, decodeHeartbeat } from "../src/api/decode.ts";
import { cluster, instance, machine, unit } from "./clusters.ts";

const nothing = { machines: [], units: [], instances: [] };

describe("what the daemon tells", () => {
  test("a snapshot is read as it was sent", () => {
    const sent = cluster({ units: [unit("a.service")], instances: [instance("a.service")] });
    assert.deepEqual(decodeCluster(JSON.parse(JSON.stringify(sent))), sent);
  });

  test("another form is an error with its place", () => {
    const sent = { ...cluster(), machines: [{ ...machine("m1"), since: "yesterday" }] };
    assert.throws(() => decodeCluster(sent), {
      name: "FormError",
      message: "machines[0].since: expected a number",
    });
    assert.throws(() => decodeHeartbeat({ revision: 1, at: 1 }), FormError);
  });

  test("a state that is not known yet counts as trouble, new fields are left out", () => {
    const sent = { ...cluster(), units: [{ ...unit("a.service"), state: "melting", colour: "red" }] };
    const [read] = decodeCluster(sent).units;
    assert.equal(read?.state, "degraded");
    assert.ok(!("colour" in (read ?? {})));
  });

  test("any JSON is read or refused, never half believed", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        for (const decode of [decodeCluster, decodeChange, decodeHeartbeat]) {
          try {
            decode(json);
          } catch (error) {
            assert.ok(error instanceof FormError);
          }
        }
      }),
    );
  });

  test("a change replaces, adds and removes, and leaves the rest as it is", () => {
    const before = cluster({ units: [unit("a.service"), unit("c.service")] });
    const after = applyChange(before, {
      revision: 2,
      at: 2,
      units: [unit("b.service"), unit("c.service", { state: "failed" })],
      removed: { ...nothing, units: ["a.service"] },
    });
    assert.deepEqual(
      after.units.map(({ name, state }) => [name, state]),
      [
        ["b.service", "healthy"],
        ["c.service", "failed"],
      ],
    );
    assert.equal(after.machines, before.machines);
    assert.equal(after.revision, 2);
    assert.equal(applyChange(before, { revision: 3, at: 3, leader: null, removed: nothing }).leader, null);
  });

  test("property: rows stand in the order of their names, as people count", () => {
    const names = fc.uniqueArray(fc.integer({ min: 1, max: 120 }), { maxLength: 20 });
    fc.assert(
      fc.property(names, names, (first, second) => {
        const before = cluster({
          units: first
            .map((n) => unit(`web@${n}.service`))
            .sort((a, b) => Number.parseInt(a.name.slice(4), 10) - Number.parseInt(b.name.slice(4), 10)),
        });
        const { units } = applyChange(before, {
          revision: 2,
          at: 2,
          units: second.map((n) => unit(`web@${n}.service`)),
          removed: nothing,
        });
        const numbers = units.map(({ name }) => Number.parseInt(name.slice(4), 10));
        assert.deepEqual(
          numbers,
          [...new Set([...first, ...second])].sort((a, b) => a - b),
        );
      }),
    );
  });
});
