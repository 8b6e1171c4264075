// The tree is formatted, linted and typed. Machines that are under test at the same time go first.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { setPriority } from "node:os";
import { resolve } from "node:path";
import { describe, test } from "node:test";

const root = resolve(import.meta.dirname, "..");

setPriority(2);

function run(script: string): void {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", script], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, `npm run ${script}\n${stdout}${stderr}`);
}

describe("the tree", () => {
  test("is formatted", () => run("format:check"));
  test("is linted", () => run("lint"));
  test("is typed", () => run("typecheck"));
});
