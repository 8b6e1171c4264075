import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { referencePath, renderReference } from "./reference-page.ts";

test("docs/operations/commands.md says what the commands are", async () => {
  const page = await readFile(referencePath, "utf8");
  assert.equal(page, await renderReference(), "run: node packages/keelson/test/cli/reference-page.ts");
});
