// What becomes of a command whose output goes nowhere: the real program, as a process.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, test } from "node:test";

const main = resolve(import.meta.dirname, "../../src/cli/main.ts");

const shell = (line: string) =>
  spawnSync("/bin/sh", ["-c", line, "sh", process.execPath, main], { encoding: "utf8" });

describe("output that cannot be written", () => {
  test("a full disk is one error with its code, and no stack", () => {
    const { status, stderr } = shell('"$1" "$2" explain KEEL-104 >/dev/full');
    assert.equal(status, 1);
    assert.match(stderr, /^error: the output could not be written: .*ENOSPC/);
    assert.match(stderr, /KEEL-876/);
    assert.doesNotMatch(stderr, /^ {4}at /m);
  });

  test("with nowhere to say so either, it ends all the same", () => {
    assert.equal(shell('"$1" "$2" explain KEEL-104 >/dev/full 2>/dev/full').status, 1);
  });

  test("a reader that has seen enough is no error", () => {
    const { status, stderr } = shell('{ "$1" "$2" help; echo "code $?" >&2; } | true');
    assert.equal(status, 0);
    assert.equal(stderr, "code 0\n");
  });
});
