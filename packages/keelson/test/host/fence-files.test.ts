import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FenceFiles } from "../../src/host/fence-files.ts";

test("the fence's orders: the deadline in seconds, the units one a line", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keelson-fence-"));
  try {
    const fence = new FenceFiles(folder);
    assert.equal(await fence.deadline(), undefined);
    await fence.write(123.456, ["a.service", "web@1.service"]);
    assert.equal(await readFile(join(folder, "fence/deadline"), "utf8"), "123.46\n");
    assert.equal(await readFile(join(folder, "fence/units"), "utf8"), "a.service\nweb@1.service\n");
    assert.equal(await fence.deadline(), 123.46);
    await fence.write(undefined, []);
    assert.equal(await readFile(join(folder, "fence/deadline"), "utf8"), "none\n");
    assert.equal(await fence.deadline(), undefined);
    assert.equal(await fence.lastActed(), undefined);
    await writeFile(join(folder, "fence/fenced"), "99.5\n");
    assert.equal(await fence.lastActed(), 99.5);
  } finally {
    await rm(folder, { recursive: true });
  }
});
