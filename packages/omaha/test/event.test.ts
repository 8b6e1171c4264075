import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeEvent, readRequest, stageOf } from "../src/index.ts";
import { recordings } from "./recordings.ts";

describe("events", () => {
  test("tell the story of a recorded update, restart and fallback", () => {
    const told = recordings.flatMap(({ name, request }) =>
      readRequest(request).apps.flatMap(({ events }) => events.map((event) => `${name}: ${stageOf(event)}`)),
    );
    assert.deepEqual(told, [
      "full 1: unchanged",
      "full 2: downloading",
      "full 3: downloaded",
      "full 4: applied",
      "held 1: unchanged",
      "held 2: failed",
      "reboot 1: complete",
      "rollback 1: failed",
      "rollback 2: downloading",
      "rollback 3: downloaded",
      "rollback 4: applied",
    ]);
  });

  test("of other clients have a stage as well", () => {
    assert.equal(stageOf({ type: 800, result: 1 }), "held");
    assert.equal(stageOf({ type: 3, result: 2 }), "complete");
    assert.equal(stageOf({ type: 3, result: 9 }), "deferred");
    assert.equal(stageOf({ type: 13, result: 0 }), "failed");
    assert.equal(stageOf({ type: 2, result: 1 }), "other");
    assert.equal(stageOf({ type: 3, result: 7 }), "other");
    assert.equal(stageOf({ type: 0, result: 0 }), "other");
  });

  test("have words", () => {
    assert.equal(
      describeEvent({ type: 3, result: 2, previousVersion: "1.0.0" }),
      "update complete: success, after a restart, from 1.0.0",
    );
    assert.equal(
      describeEvent({ type: 13, result: 1, previousVersion: "" }),
      "update’s download started: success",
    );
    assert.equal(describeEvent({ type: 7777, result: 77 }), "event 7777: result 77");
  });
});
