import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { resolveUnits, resolveWithFiles } from "../../src/cli/unit-arguments.ts";
import { unitFilter } from "../../src/cli/unit-filter.ts";

const named = (...names: string[]): { readonly name: string }[] => names.map((name) => ({ name }));
const known = {
  units: named("web@.container", "db.service", "db.volume", "app.network", "lone.timer"),
  instances: named("web@1.container", "web@2.container", "db.service"),
};

describe("names of units that are there", () => {
  test("exact, without suffix, template, instance, pattern", () => {
    const cases: Record<string, readonly string[]> = {
      "db.service": ["db.service"],
      db: ["db.service"],
      lone: ["lone.timer"],
      "web@": ["web@.container"],
      "web@2": ["web@2.container"],
      "web@*": ["web@.container", "web@1.container", "web@2.container"],
      "db.*": ["db.service", "db.volume"],
    };
    for (const [word, names] of Object.entries(cases))
      assert.deepEqual(resolveUnits([word], known), names, word);
  });

  test("a unit that is not there: KEEL-501 with the nearest", () => {
    assert.throws(
      () => resolveUnits(["dbb.service"], known),
      (error) =>
        error instanceof KeelError &&
        error.code === "KEEL-501" &&
        error.exitCode === 7 &&
        error.hint === "did you mean db.service?",
    );
    assert.throws(() => resolveUnits(["nothing*"], known), KeelError);
  });

  test("a name without suffix that fits several, none of them a service, is refused", () => {
    assert.throws(
      () => resolveUnits(["x"], { units: named("x.volume", "x.network"), instances: [] }),
      /x\.network, x\.volume/,
    );
  });
});

describe("names that may be files", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-units-"));
    await writeFile(join(folder, "new.service"), "new");
    await writeFile(join(folder, "db.service"), "mine");
    await writeFile(join(folder, "tool@.service"), "template");
  });
  after(() => rm(folder, { recursive: true }));

  const resolve = (words: readonly string[], replace = false): ReturnType<typeof resolveWithFiles> =>
    resolveWithFiles(words, known, {
      cwd: folder,
      replace,
      unitFile: (name) => Promise.resolve(Buffer.from(`cluster's ${name}`)),
    });

  test("fleet's order: the cluster's unit, then the file, then the cluster's template, then the template file", async () => {
    const { files, existing, warnings } = await resolve([
      "lone.timer",
      "new.service",
      "web@7.container",
      "tool@3.service",
    ]);
    assert.deepEqual(existing, ["lone.timer", "web@7.container"]);
    assert.deepEqual(
      files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]),
      [
        ["new.service", "new"],
        ["tool@3.service", "template"],
      ],
    );
    assert.deepEqual(warnings, []);
  });

  test("a file that differs from the cluster's unit is passed over with a warning, unless --replace", async () => {
    const kept = await resolve(["db.service"]);
    assert.deepEqual([kept.existing, kept.files.length, kept.warnings.length], [["db.service"], 0, 1]);
    const replaced = await resolve(["db.service"], true);
    assert.deepEqual([replaced.existing, replaced.files.map((file) => file.name)], [[], ["db.service"]]);
  });

  test("a path always means the file", async () => {
    const { files, existing } = await resolve(["./db.service", "./new"]);
    assert.deepEqual([existing, files.map((file) => file.name)], [[], ["db.service", "new.service"]]);
    await assert.rejects(resolve(["./absent.service"]), KeelError);
  });
});

describe("patterns", () => {
  test("a template names its instances", () => {
    const wanted = unitFilter(["web@"]);
    assert.ok(wanted({ name: "web@1.container", unit: "web@.container" }));
    assert.ok(!wanted({ name: "db.service", unit: "db.service" }));
  });

  test("a pattern and a name without suffix", () => {
    assert.ok(unitFilter(["d?"])({ name: "db.service", unit: "db.service" }));
    assert.ok(unitFilter(["x", "db"])({ name: "db.service", unit: "db.service" }));
    assert.ok(!unitFilter(["d*x"])({ name: "db.service", unit: "db.service" }));
  });
});
