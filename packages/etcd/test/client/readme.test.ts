import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it, mock } from "node:test";
import { runExamples } from "./readme-examples.ts";

const here = import.meta.dirname;

describe("the README", () => {
  it("shows only what the compiler has checked", async () => {
    const readme = await readFile(path.join(here, "../../README.md"), "utf8");
    const examples = await readFile(path.join(here, "readme-examples.ts"), "utf8");
    const shown = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!.trim());
    const imports = /^import .*"@keelson\/etcd";$/m.exec(examples)![0];
    const written = [...examples.matchAll(/ {2}\/\/ example: \w+\n(.*?) {2}\/\/ end\n/gs)].map(([, code]) =>
      code!.replaceAll(/^ {2}/gm, "").trim(),
    );
    assert.deepEqual(shown, [imports, ...written]);
  });

  it("shows what works", async () => {
    const dataDir = await mkdtemp(path.join(tmpdir(), "keelson-readme-"));
    const log = mock.method(console, "log", () => {});
    try {
      await runExamples(dataDir);
      assert.equal(log.mock.calls[0]?.arguments[0], "hello");
    } finally {
      log.mock.restore();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
