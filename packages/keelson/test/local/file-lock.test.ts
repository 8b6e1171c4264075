import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { takeLock } from "../../src/local/file-lock.ts";

describe("a lock", () => {
  test("is held by one at a time, also when its file is removed between them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lock-"));
    const path = join(folder, "deep/lock");
    let inside = 0;
    const work = async (): Promise<void> => {
      const lock = await takeLock(path);
      assert.equal(++inside, 1);
      await new Promise((done) => setTimeout(done, 5));
      inside--;
      await lock.release({ remove: true });
      await rmdir(join(folder, "deep")).catch(() => {});
    };
    await Promise.all([work(), work(), work(), work()]);
    assert.ok(!existsSync(path));
    rmSync(folder, { recursive: true });
  });

  test("is refused when it is held too long", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lock-"));
    const path = join(folder, "lock");
    await using _held = await takeLock(path);
    await assert.rejects(
      takeLock(path, 0),
      (error) => error instanceof KeelError && error.code === "KEEL-305",
    );
    rmSync(folder, { recursive: true });
  });
});
