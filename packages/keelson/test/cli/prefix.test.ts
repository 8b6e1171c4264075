import assert from "node:assert/strict";
import { test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { byPrefix } from "../../src/cli/prefix.ts";

const candidates = ["01abc", "01abd", "02", "0200"].map((id) => ({ names: [id], value: id }));
const operation = { code: "KEEL-506", what: "operation" } as const;

test("an identity may be shortened as long as it stays unique, and an exact one always fits", () => {
  assert.equal(byPrefix("01abc", candidates, operation), "01abc");
  assert.equal(byPrefix("02", candidates, operation), "02");
  assert.equal(byPrefix("020", candidates, operation), "0200");
});

test("none and several are told apart", () => {
  const messageFor = (text: string): string => {
    try {
      return byPrefix(text, candidates, operation);
    } catch (error) {
      assert.ok(error instanceof KeelError && error.code === "KEEL-506");
      return error.message;
    }
  };
  assert.equal(messageFor("9"), 'no operation "9"');
  assert.equal(messageFor("01"), '"01" fits several operations: 01abc, 01abd');
  assert.equal(messageFor(""), 'no operation ""');
});
