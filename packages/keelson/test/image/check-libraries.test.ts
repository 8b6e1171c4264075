import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { checkLibraries, missingLibraries } from "../../src/image/check-libraries.ts";
import { readLinkFacts } from "../../src/image/elf.ts";
import type { ReadAt } from "../../src/image/elf.ts";
import { makeElf } from "./small-elf.ts";
import type { ElfContent } from "./small-elf.ts";

const linker = "/lib64/ld.so";
/** Content of files by their names; a text is a link's target. */
type Tree = Readonly<Record<string, ElfContent | Buffer | string>>;

/** What is missing in layers, uppermost first; every one has Debian's links and the dynamic linker. */
async function missingIn(...layers: readonly Tree[]): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-libraries-"));
  try {
    const basis: Tree = { lib: "usr/lib", lib64: "usr/lib64", "usr/lib64/ld.so": {} };
    const paths: string[] = [];
    for (const [at, tree] of [...layers, basis].entries()) {
      const layer = join(folder, String(at));
      paths.push(layer);
      await mkdir(layer);
      for (const [name, content] of Object.entries(tree)) {
        const path = join(layer, name);
        await mkdir(dirname(path), { recursive: true });
        if (typeof content === "string") await symlink(content, path);
        else await writeFile(path, Buffer.isBuffer(content) ? content : makeElf(content));
      }
    }
    return (await missingLibraries(paths)).map(({ file, library }) => `${file} ${library}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("libraries of an image", () => {
  test("are found in the usual folders, over links, in any layer", async () => {
    const missing = await missingIn(
      { "usr/bin/one": { needed: ["libone.so.1", "libtwo.so.2"], interpreter: linker } },
      { "usr/lib/libone.so.1": "libone.so.1.5", "usr/lib/libone.so.1.5": { needed: ["libtwo.so.2"] } },
      { "usr/lib/libtwo.so.2": "/usr/lib64/libtwo.so.2", "usr/lib64/libtwo.so.2": {} },
    );
    assert.deepEqual(missing, []);
  });

  test("are found where ld.so.conf.d says, and nowhere else", async () => {
    const tree: Tree = {
      "usr/bin/one": { needed: ["libone.so"], interpreter: linker },
      "usr/lib/special/libone.so": {},
    };
    assert.deepEqual(await missingIn(tree), ["usr/bin/one libone.so"]);
    const settings = Buffer.from("# special\n/lib/special # here\n");
    assert.deepEqual(await missingIn({ ...tree, "etc/ld.so.conf.d/special.conf": settings }), []);
  });

  test("are found by a path of their own, which only the older form hands on", async () => {
    const tree = (path: ElfContent): Tree => ({
      "opt/a/bin/one": { needed: ["libone.so"], interpreter: linker, ...path },
      "opt/a/lib/libone.so": { needed: ["libtwo.so"] },
      "opt/a/lib/libtwo.so": {},
    });
    assert.deepEqual(await missingIn(tree({ runPath: "/nowhere:$ORIGIN/../lib" })), [
      "opt/a/lib/libone.so libtwo.so",
    ]);
    assert.deepEqual(await missingIn(tree({ rPath: "${ORIGIN}/../lib" })), []);
  });

  test("of a program serve the libraries that come with it", async () => {
    const alone: Tree = { "opt/lib/libcore.so": { needed: ["libshared.so"] }, "opt/lib/libshared.so": {} };
    assert.deepEqual(await missingIn(alone), ["opt/lib/libcore.so libshared.so"]);
    const program = { needed: ["libcore.so", "libshared.so"], runPath: "/opt/lib", interpreter: linker };
    assert.deepEqual(await missingIn({ ...alone, "usr/bin/one": program }), []);
  });

  test("are missed: one that is not there, a link to nothing, links in a circle, a folder in its place", async () => {
    const needed = ["libgone.so", "liblost.so", "libround.so", "libfolder.so"];
    const missing = await missingIn({
      "usr/bin/one": { needed, interpreter: "/lib64/other.so" },
      "usr/lib/liblost.so": "liblost.so.1",
      "usr/lib/libround.so": "libcircle.so",
      "usr/lib/libcircle.so": "libround.so",
      "usr/lib/libfolder.so/file": Buffer.from("x"),
    });
    assert.deepEqual(
      missing.toSorted(),
      ["/lib64/other.so", ...needed].map((name) => `usr/bin/one ${name}`).toSorted(),
    );
  });

  test("stop a build, which names the file and what it lacks", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keelson-libraries-"));
    try {
      await writeFile(join(folder, "tool"), makeElf({ needed: ["libgone.so.3"] }));
      await assert.rejects(checkLibraries([folder]), {
        code: "KEEL-335",
        message: /tool needs libgone\.so\.3/,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("are nothing that a script, a note or a kernel module has", async () => {
    const missing = await missingIn({
      "usr/bin/script": Buffer.from("#!/bin/sh\n"),
      "usr/lib/modules/one.ko": { needed: ["libgone.so"] },
      "usr/share/empty": Buffer.alloc(0),
    });
    assert.deepEqual(missing, []);
  });
});

describe("what a linker wrote", () => {
  const whole = makeElf({ needed: ["a.so", "b.so"], interpreter: linker, runPath: "/x" });
  const reader =
    (bytes: Uint8Array): ReadAt =>
    (position, length) => {
      assert.ok(length <= 1 << 22, "more is read than any file needs");
      return Promise.resolve(bytes.subarray(position, position + length));
    };

  test("is read", async () => {
    assert.deepEqual(await readLinkFacts(reader(whole)), {
      needed: ["a.so", "b.so"],
      interpreter: linker,
      runPath: "/x",
    });
  });

  test("is bounded, and ends with an answer, when it is damaged", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 64, minLength: 1 }),
        fc.nat(whole.length - 1),
        fc.nat(whole.length),
        async (garbage, at, end) => {
          const bytes = Buffer.from(whole);
          bytes.set(garbage.subarray(0, whole.length - at), at);
          const facts = await readLinkFacts(reader(bytes.subarray(0, end)));
          if (facts !== undefined) assert.ok(facts.needed.length <= 4096);
        },
      ),
    );
  });
});
