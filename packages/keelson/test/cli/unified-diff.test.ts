import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { unifiedDiff } from "../../src/cli/unified-diff.ts";

const diff = (from: string, to: string): string =>
  unifiedDiff({ label: "a", text: from }, { label: "b", text: to });

/** What `diff -u` says of two files, without its first two lines. */
function reference(from: string, to: string): string {
  const folder = mkdtempSync(join(tmpdir(), "keel-diff-"));
  try {
    writeFileSync(join(folder, "a"), from);
    writeFileSync(join(folder, "b"), to);
    execFileSync("diff", ["-u", "a", "b"], { cwd: folder });
    return "";
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout)
      .split("\n")
      .slice(2)
      .join("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Carries the difference out, reading it as any reader of unified diffs does. */
function apply(text: string, patch: string): string {
  const old = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const result: string[] = [];
  let at = 0;
  const lines = patch.split(/(?<=\n)/).slice(2);
  for (const [index, line] of lines.entries()) {
    const isCut = lines[index + 1]?.startsWith("\\") === true;
    const body = isCut ? line.slice(1, -1) : line.slice(1);
    if (line.startsWith("@@")) {
      const [, start = "0", length = "1"] = /^@@ -(\d+)(?:,(\d+))? /.exec(line) ?? [];
      const first = Number(start) - (length === "0" ? 0 : 1);
      result.push(...old.slice(at, first));
      at = first;
    } else if (line.startsWith(" ")) {
      assert.equal(old[at], body);
      result.push(body);
      at += 1;
    } else if (line.startsWith("-")) {
      assert.equal(old[at], body);
      at += 1;
    } else if (line.startsWith("+")) {
      result.push(body);
    }
  }
  return [...result, ...old.slice(at)].join("");
}

const text = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "c", "", "d"), { maxLength: 30 }), fc.boolean())
  .map(([lines, isEnded]) => lines.join("\n") + (isEnded ? "\n" : ""));

describe("a unified diff", () => {
  test("of the same text is empty", () => assert.equal(diff("a\nb\n", "a\nb\n"), ""));

  test("has the form of diff -u", () => {
    const from = Array.from({ length: 20 }, (_, index) => `line ${index}\n`).join("");
    for (const to of [
      from.replace("line 3\n", "line three\n"),
      from.replace("line 3\n", "").replace("line 15", "line fifteen"),
      `first\n${from}last`,
      "",
      from.trimEnd(),
    ]) {
      assert.equal(diff(from, to).split("\n").slice(2).join("\n"), reference(from, to));
      assert.equal(diff(to, from).split("\n").slice(2).join("\n"), reference(to, from));
    }
  });

  test("carried out on the one text gives the other", () => {
    fc.assert(fc.property(text, text, (from, to) => assert.equal(apply(from, diff(from, to)), to)));
  });

  test("is as short as can be", () => {
    const changes = (patch: string): number =>
      patch.split("\n").filter((line) => /^[-+]/.test(line) && !/^(---|\+\+\+) [ab]$/.test(line)).length;
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 6 }), (lines) => {
        const from = lines.map((line) => `${line}\n`).join("");
        assert.equal(changes(diff(from, `x\n${from}`)), 1);
      }),
    );
  });

  test("of texts that have nothing in common stays affordable", () => {
    const from = Array.from({ length: 20_000 }, (_, index) => `a${index}\n`).join("");
    const to = Array.from({ length: 20_000 }, (_, index) => `b${index}\n`).join("");
    assert.equal(apply(from, diff(from, to)), to);
  });
});
