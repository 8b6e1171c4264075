import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { Council } from "../../src/leader/council.ts";
import {
  mostOperationsOnOne,
  mostRecordsAtOnce,
  mostWritesOfOne,
  WritingPace,
} from "../../src/leader/writing-pace.ts";
import { emptyCluster } from "../../src/model/cluster.ts";
import { type Decider, type Decision, nothingToDo } from "../../src/model/decision.ts";
import { PlacementCache } from "../../src/model/placement/cache.ts";
import type { RecordChange } from "../../src/model/record-kinds.ts";
import { operationRecord, unitRecord } from "../registry/records.ts";
import { keptLog } from "./stage.ts";

const decider = (name: string, decide: () => Decision): Decider => ({ name, decide });
const record = (name: string): RecordChange => ({ kind: "move", name });

function sitting(deciders: readonly Decider[], write: (name: string) => Promise<boolean>) {
  const clock = new SimulatedClock();
  const kept = keptLog();
  const placements = new PlacementCache(() => undefined);
  const scene = () => ({
    snapshot: emptyCluster,
    placements,
    nowMs: clock.now(),
    wallMs: clock.wall(),
    newId: () => "id",
  });
  const council = new Council({ deciders, clock, log: kept.log, scene, write: ({ name }) => write(name) });
  return { council, clock, lines: kept.lines };
}

describe("the council of deciders", () => {
  test("one that throws keeps the others from nothing, is named, and is asked again", async () => {
    let isIll = true;
    const asked: string[] = [];
    const ill = decider("ill", () => {
      if (isIll) throw new TypeError("cannot read properties of undefined");
      return nothingToDo;
    });
    const well = decider("well", () => {
      asked.push("well");
      return { ...nothingToDo, records: [record("a")] };
    });
    const { council, clock, lines } = sitting([ill, well], () => Promise.resolve(true));
    const first = await council.decide();
    assert.match(first.alarms.get("decider-ill") ?? "", /cannot read properties/);
    assert.equal(first.alarms.get("decider-well"), undefined);
    assert.equal(first.hasWritten, true);
    assert.ok((first.againMs ?? Infinity) <= clock.now() + 10_000);
    await council.decide();
    assert.equal(lines.filter((line) => line.includes("in trouble")).length, 1, "said once");
    isIll = false;
    const after = await council.decide();
    assert.equal(after.alarms.get("decider-ill"), undefined);
    assert.deepEqual(asked, ["well", "well", "well"]);
  });

  test("what cannot be written concerns its decider alone; what may have been written ends the sitting", async () => {
    const asked: string[] = [];
    const two = ["one", "two"].map((name) =>
      decider(name, () => ({ ...nothingToDo, records: [record(name)] })),
    );
    let failure = new KeelError("KEEL-605", "too large");
    const { council } = sitting(two, async (name) => {
      asked.push(name);
      if (name === "one") throw failure;
      return true;
    });
    const decided = await council.decide();
    assert.match(decided.alarms.get("decider-one") ?? "", /too large/);
    assert.deepEqual(asked, ["one", "two"]);
    failure = new KeelError("KEEL-401", "no answer");
    await assert.rejects(council.decide(), { code: "KEEL-401" });
  });

  test("what is void again and again is void only for its decider", async () => {
    let others = 0;
    const stuck = decider("stuck", () => ({ ...nothingToDo, records: [record("a")] }));
    const other = decider("other", () => {
      others += 1;
      return nothingToDo;
    });
    const { council } = sitting([stuck, other], async (name) => {
      if (name === "stuck") throw new KeelError("KEEL-403", "moved");
      return false;
    });
    for (let look = 0; look < 5; look++) await assert.rejects(council.decide(), { code: "KEEL-403" });
    assert.match((await council.decide()).alarms.get("decider-stuck") ?? "", /moved/);
    assert.equal(others, 1);
  });

  test("a time that is none makes nobody wait for ever", async () => {
    const odd = decider("odd", () => ({ ...nothingToDo, againMs: Number.NaN }));
    const { council } = sitting([odd], () => Promise.resolve(false));
    assert.equal((await council.decide()).againMs, undefined);
  });
});

describe("the pace of writing", () => {
  test("a record that changes at every look is left alone for the rest of a minute, others are not", () => {
    const pace = new WritingPace();
    const looks = Array.from({ length: mostWritesOfOne + 50 }, (_, look) =>
      pace.allow(
        { records: [record("restless"), ...(look % 10 === 0 ? [record("calm")] : [])], operations: [] },
        look,
      ),
    );
    const written = looks.flatMap(({ records }) => records.map(({ name }) => name));
    assert.equal(written.filter((name) => name === "restless").length, mostWritesOfOne);
    assert.equal(written.filter((name) => name === "calm").length, Math.ceil(looks.length / 10));
    assert.deepEqual(looks.at(-1)?.restless, ["move restless"]);
    assert.equal(looks.at(-1)?.againMs, 60_000);
    assert.equal(pace.allow({ records: [record("restless")], operations: [] }, 60_000).records.length, 1);
  });

  test("the same operation again and again is not begun without end", () => {
    const pace = new WritingPace();
    const unit = unitRecord("a.service");
    const operations = [operationRecord("x", [{ unit: unit.name, before: unit, after: unit }])];
    let begun = 0;
    for (let look = 0; look < 500; look++)
      begun += pace.allow({ records: [], operations }, look).operations.length;
    assert.equal(begun, mostOperationsOnOne);
  });

  test("what is too much for one look is written from its beginning on, operations after all records", () => {
    const pace = new WritingPace();
    const records = Array.from({ length: mostRecordsAtOnce + 1 }, (_, number) => record(`i${number}`));
    const operations = [operationRecord("x", [])];
    const first = pace.allow({ records, operations }, 0);
    assert.deepEqual(first.records, records.slice(0, mostRecordsAtOnce));
    assert.deepEqual([first.operations.length, first.isCut], [0, true]);
    const second = pace.allow({ records: records.slice(mostRecordsAtOnce), operations }, 1);
    assert.deepEqual([second.records.length, second.operations.length, second.isCut], [1, 1, false]);
  });
});
