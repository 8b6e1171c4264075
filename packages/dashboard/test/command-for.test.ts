import assert from "node:assert/strict";
import { test } from "node:test";
import { commandFor } from "../src/element/command-for.ts";

test("a command names its cluster, unless keel would ask it anyway", () => {
  assert.equal(commandFor("keel undo 01", "review"), "keel undo 01 --cluster review");
  assert.equal(commandFor("keel undo 01", "default"), "keel undo 01");
  assert.equal(commandFor("keel undo 01", ""), "keel undo 01");
});
