import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { ContentCache } from "../../../src/local/tree/content-cache.ts";
import { hashPaths } from "../../../src/local/tree/file-hash.ts";

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "cache-"));
  readonly cache = new ContentCache(this.path);
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

describe("the content cache", () => {
  test("makes an entry once, also when two ask at the same time", async () => {
    using folder = new Folder();
    let made = 0;
    const make = async (path: string): Promise<void> => {
      made++;
      writeFileSync(join(path, "file"), "content");
      await new Promise((done) => setTimeout(done, 20));
    };
    const paths = await Promise.all([
      folder.cache.entry("kind", "a", make),
      folder.cache.entry("kind", "a", make),
    ]);
    assert.equal(made, 1);
    assert.equal(paths[0], paths[1]);
    assert.equal(readFileSync(join(paths[0] ?? "", "file"), "utf8"), "content");
    assert.ok(folder.cache.has("kind", "a"));
  });

  test("leaves nothing when making fails, and makes it at the next try", async () => {
    using folder = new Folder();
    const fail = folder.cache.entry("kind", "a", (path) => {
      writeFileSync(join(path, "half"), "");
      return Promise.reject(new Error("broken"));
    });
    await assert.rejects(fail, /broken/);
    assert.deepEqual(readdirSync(join(folder.path, "kind")), [".lock"]);
    await folder.cache.entry("kind", "a", () => Promise.resolve());
  });

  test("sweeps what a killed maker left, and is not held up by it", async () => {
    using folder = new Folder();
    const module = resolve(import.meta.dirname, "../../../src/local/tree/content-cache.ts");
    const script = `const { ContentCache } = await import(${JSON.stringify(module)})
      await new ContentCache(${JSON.stringify(folder.path)}).entry('kind', 'a', async () => {
        console.log('making'); await new Promise((done) => setTimeout(done, 60_000)) })`;
    const maker = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(maker.stdout, "data");
    assert.equal(
      readdirSync(join(folder.path, "kind")).filter((name) => name.startsWith(".building-")).length,
      1,
    );
    maker.kill("SIGKILL");
    await once(maker, "exit");
    await folder.cache.entry("kind", "b", () => Promise.resolve());
    assert.deepEqual(readdirSync(join(folder.path, "kind")).sort(), [".lock", "b"]);
  });

  test("forgets the oldest, but none that is in use", async () => {
    using folder = new Folder();
    for (const [age, name] of ["a", "b", "c", "d"].entries()) {
      const path = await folder.cache.entry("kind", name, () => Promise.resolve());
      utimesSync(path, 1000 + age, 1000 + age);
    }
    const inUse = new Set([folder.cache.path("kind", "a")]);
    assert.deepEqual(await folder.cache.prune("kind", 2, inUse), [folder.cache.path("kind", "b")]);
    assert.ok(existsSync(folder.cache.path("kind", "a")));
    assert.deepEqual(await folder.cache.prune("nothing", 2, inUse), []);
  });
});

test("a hash of files changes with names, contents and the executable bit", () => {
  using folder = new Folder();
  const file = join(folder.path, "file");
  const hashes = new Set<string>();
  const add = (): void => void hashes.add(hashPaths(folder.path, ["file", "other"]));
  add();
  writeFileSync(file, "a");
  add();
  writeFileSync(file, "b");
  add();
  writeFileSync(join(folder.path, "other"), "b");
  add();
  assert.equal(hashes.size, 4);
  assert.equal(hashPaths(folder.path, ["file"]), hashPaths(folder.path, ["file"]));
  assert.notEqual(hashPaths(folder.path, ["file"], ["1"]), hashPaths(folder.path, ["file"], ["2"]));
});
