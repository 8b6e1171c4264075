import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { UnitFile, parseUnitName } from "@keelson/systemd";
import { buildHelloImage } from "../../../../examples/hello/image.ts";
import { readPlacement } from "../../src/model/placement/read-placement.ts";

const examples = resolve(import.meta.dirname, "../../../../examples");

describe("the examples", () => {
  test("every unit file parses, has a name that systemd takes, and placement rules that hold", async () => {
    const paths = [join(examples, "hello/hello@.container")];
    for (const name of await readdir(join(examples, "units"))) paths.push(join(examples, "units", name));
    assert.ok(paths.length > 12);
    for (const path of paths) {
      const { name } = parseUnitName(path.split("/").at(-1) ?? "");
      const text = await readFile(path, "utf8");
      assert.equal(UnitFile.parse(text, { file: path }).toString(), text);
      assert.doesNotThrow(() => readPlacement(name, text), path);
    }
  });

  test("the tables of the README name every unit", async () => {
    const readme = await readFile(join(examples, "README.md"), "utf8");
    for (const name of await readdir(join(examples, "units")))
      assert.ok(readme.includes(`\`${name}\``), name);
  });

  test("the image is the same every time, and a tar that tar can read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keel-image-"));
    try {
      const busybox = join(folder, "busybox");
      await writeFile(busybox, Buffer.alloc(1000, 7));
      const image = await buildHelloImage(busybox);
      assert.deepEqual(image, await buildHelloImage(busybox));
      await writeFile(join(folder, "hello.tar"), image);
      execFileSync("tar", ["-xf", "hello.tar"], { cwd: folder });
      const [entry] = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as [
        { Config: string; RepoTags: string[]; Layers: string[] },
      ];
      assert.deepEqual(entry.RepoTags, ["localhost/hello:latest"]);
      const layer = execFileSync("tar", ["-tvf", entry.Layers[0] ?? ""], { cwd: folder, encoding: "utf8" });
      assert.match(layer, /-rwxr-xr-x 0\/0 +1000 1970-01-01 00:00 bin\/busybox/);
      assert.match(layer, /bin\/sh -> busybox/);
      assert.match(layer, /drwxrwxrwt .* tmp\//);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
