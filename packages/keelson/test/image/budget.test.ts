import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test } from "node:test";
import { budgetFigures, overBudget, parseBudget, readBudget } from "../../src/image/budget.ts";
import { readSources } from "../../src/image/sources.ts";
import { variants } from "../../src/model/os-image.ts";

const repository = join(import.meta.dirname, "../../../..");

suite("budget of the image", () => {
  test("names every figure with a limit and a reason", async () => {
    const budget = await readBudget(repository);
    assert.deepEqual(Object.keys(budget).sort(), [...budgetFigures].sort());
  });

  test("a figure at its limit passes, one more does not, one without a measurement is not judged", async () => {
    const budget = await readBudget(repository);
    const { limit } = budget.packages;
    assert.deepEqual(overBudget(budget, { packages: limit }), []);
    assert.deepEqual(overBudget(budget, { packages: limit + 1 }), [
      `packages is ${limit + 1}, and os/budget.json allows ${limit}`,
    ]);
  });

  test("a variant has limits of its own where it says so, and the usual ones else", async () => {
    const [usual, metal] = [await readBudget(repository), await readBudget(repository, "metal")];
    assert.ok(metal.kernelBytes.limit > usual.kernelBytes.limit);
    assert.notEqual(metal.kernelBytes.reason, usual.kernelBytes.reason);
    assert.deepEqual(metal.setuidFiles, usual.setuidFiles);
    assert.deepEqual(await readBudget(repository, "vm"), usual);
  });

  test("garbage is refused", () => {
    for (const text of ["", "{}", '{"packages":{"limit":1,"reason":"because it is long enough"}}', "[]"])
      assert.throws(() => parseBudget(text));
  });

  test("each variant's lists can be read, and each names a kernel", async () => {
    for (const variant of variants) {
      const sources = await readSources(repository, variant);
      assert.equal(
        sources.kernel.packages.some((name) => name.startsWith("linux-image-")),
        true,
        variant,
      );
      assert.equal(sources.commandLine.includes("gpt"), true, variant);
    }
  });
});
