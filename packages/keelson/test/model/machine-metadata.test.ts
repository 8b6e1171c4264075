import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { emptyCluster } from "../../src/model/cluster.ts";
import { effectiveMachines, effectiveMetadata } from "../../src/model/machine-metadata.ts";
import { machineId, machineRecord } from "../registry/records.ts";

describe("effective metadata", () => {
  test("what people set lies over the machine's own, and the empty value takes a key away", () => {
    const set = { metadata: { region: "us", disk: "", rack: "7" } };
    assert.deepEqual(effectiveMetadata({ region: "eu", disk: "ssd", size: "s" }, set), {
      region: "us",
      size: "s",
      rack: "7",
    });
    assert.deepEqual(effectiveMetadata({ region: "eu" }, undefined), { region: "eu" });
  });

  test("a key is there exactly when the last word on it is not empty", () => {
    const words = fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 2 }));
    fc.assert(
      fc.property(words, words, (own, metadata) => {
        const effective = effectiveMetadata(own, { metadata });
        for (const key of new Set([...Object.keys(own), ...Object.keys(metadata)])) {
          const isSet = Object.hasOwn(metadata, key);
          const last = isSet ? metadata[key] : own[key];
          const expected = isSet && last === "" ? undefined : last;
          const found = Object.hasOwn(effective, key) ? effective[key] : undefined;
          if (last !== "" || isSet) assert.equal(found, expected, key);
        }
      }),
    );
  });

  test("a machine of which nothing was said stays the same object", () => {
    const one = machineRecord(1);
    const two = machineRecord(2);
    const settings = { machine: two.id, cordoned: false, metadata: { zone: "b" } };
    const machines = effectiveMachines({
      ...emptyCluster,
      machines: new Map([
        [one.id, one],
        [two.id, two],
      ]),
      machineSettings: new Map([[machineId(2), settings]]),
    });
    assert.equal(machines[0], one);
    assert.equal(machines[1]?.metadata["zone"], "b");
  });
});
