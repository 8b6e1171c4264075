import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { headlineFor } from "../src/app/headline.ts";
import { cluster, machine, unit } from "./clusters.ts";

const sentence = (changes: Parameters<typeof cluster>[0]): string => headlineFor(cluster(changes)).sentence;

describe("the headline", () => {
  test("all is well", () => {
    assert.equal(
      sentence({ units: [unit("a.service"), unit("b.service", { state: "inactive" })] }),
      "All 3 machines healthy. 2 of 2 units as desired.",
    );
    assert.equal(sentence({}), "All 3 machines healthy. No units yet.");
    assert.equal(sentence({ machines: [machine("m1")] }), "The machine is healthy. No units yet.");
    assert.equal(sentence({ machines: [] }), "No machines yet.");
  });

  test("the worst comes first", () => {
    const failed = unit("a.service", { state: "failed", reason: "on m1: exit code 1" });
    const waiting = unit("b.service", { state: "waiting" });
    const lost = machine("m2", { state: "lost" });
    const machines = [machine("m1"), lost, machine("m3")];
    assert.deepEqual(headlineFor(cluster({ units: [failed, waiting] })), {
      tone: "bad",
      sentence: "a.service failed.",
      detail: "on m1: exit code 1. 0 of 2 units as desired.",
    });
    assert.equal(sentence({ machines, units: [failed] }), "1 of 3 machines is lost: m2.");
    assert.equal(sentence({ machines, leader: null }), "No leader.");
    assert.equal(
      sentence({
        machines,
        leader: null,
        alarms: { "mass-failure": "2 of 3 machines vanished within a minute" },
      }),
      "2 of 3 machines vanished within a minute.",
    );
    assert.equal(sentence({ units: [waiting, unit("c.service")] }), "b.service is waiting for a machine.");
    assert.equal(
      sentence({ units: ["a", "b"].map((name) => unit(name, { state: "starting" })) }),
      "2 of 2 units starting.",
    );
  });
});
