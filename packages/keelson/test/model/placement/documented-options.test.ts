import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { test } from "node:test";
import { keelsonKeys } from "../../../src/model/placement/keelson-section.ts";

test("units.md has every option of [X-Keelson] in its table, and no other", async () => {
  const page = resolve(import.meta.dirname, "../../../../../docs/operations/units.md");
  const text = await readFile(page, "utf8");
  const [, chapter = ""] = text.split("## [X-Keelson]\n");
  const [table = ""] = chapter.split("\n\n");
  const named = table
    .split("\n")
    .flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([A-Za-z]+)=/g)].map(([, key]) => key));
  assert.equal(named.length, keelsonKeys.length);
  assert.deepEqual(new Set(named), new Set<string | undefined>(keelsonKeys));
});
