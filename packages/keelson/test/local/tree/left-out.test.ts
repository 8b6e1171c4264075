import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { rolldown } from "rolldown";
import { leaveOut } from "../../../src/local/tree/left-out.ts";

void suite("what a bundle leaves out", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-left-out-"));
  });
  after(() => rm(folder, { recursive: true }));

  void test("is not in it, and says so when it is asked for anything", async () => {
    const entry = join(folder, "entry.cjs");
    await writeFile(entry, 'const heavy = require("heavy");\nexports.use = () => heavy.create();\n');
    await using build = await rolldown({
      input: entry,
      platform: "node",
      plugins: [leaveOut({ heavy: "a trial" })],
    });
    await build.write({ file: join(folder, "out.mjs"), format: "esm" });
    const { default: program } = (await import(join(folder, "out.mjs"))) as { default: { use(): void } };
    assert.throws(() => program.use(), /heavy is left out of this program/);
  });
});
