import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { readImageArchive } from "../../src/api/archive/image-archive.ts";
import type { ArchivedImage } from "../../src/api/archive/image-archive.ts";
import { archiveName, ociName } from "../../src/api/archive/image-name.ts";
import { tarMembers } from "../../src/api/archive/tar.ts";
import type { TarMember } from "../../src/api/archive/tar.ts";
import { KeelError } from "../../src/base/errors.ts";
import { dockerArchive, ociArchive, sha256, tar } from "./tar-archive.ts";

const config = '{"architecture":"amd64"}';
const imageId = sha256(config);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "keelson-archive-"));
});
after(() => rm(folder, { recursive: true }));

async function onDisk<T>(
  bytes: Uint8Array,
  use: (file: Awaited<ReturnType<typeof open>>) => Promise<T>,
): Promise<T> {
  const path = join(folder, "archive.tar");
  await writeFile(path, bytes);
  const file = await open(path, "r");
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

const read = (bytes: Uint8Array): Promise<ArchivedImage[]> =>
  onDisk(bytes, (file) => readImageArchive(file, bytes.byteLength, "amd64"));
const list = (bytes: Uint8Array): Promise<TarMember[]> =>
  onDisk(bytes, (file) => Array.fromAsync(tarMembers(file, bytes.byteLength)));

describe("image archives", () => {
  test("a docker archive tells its names and its configuration", async () => {
    assert.deepEqual(await read(dockerArchive(["localhost/hello:latest", "quay.io/x/y:1"])), [
      { name: "localhost/hello:latest", imageId },
      { name: "quay.io/x/y:1", imageId },
    ]);
  });

  test("an OCI archive does too", async () => {
    assert.deepEqual(
      await read(ociArchive({ "org.opencontainers.image.ref.name": "localhost/hello:latest" })),
      [{ name: "localhost/hello:latest", imageId }],
    );
    assert.deepEqual(
      await read(
        ociArchive({
          "io.containerd.image.name": "docker.io/library/nginx:1",
          "org.opencontainers.image.ref.name": "1",
        }),
      ),
      [{ name: "docker.io/library/nginx:1", imageId }],
    );
  });

  test("of an index of platforms this machine’s is taken", async () => {
    const manifestOf = (text: string): string =>
      JSON.stringify({ config: { digest: `sha256:${sha256(text)}` } });
    const [amd, arm] = [manifestOf('{"a":1}'), manifestOf('{"b":2}')];
    const index = JSON.stringify({
      manifests: [
        { digest: `sha256:${sha256(arm)}`, platform: { architecture: "arm64", os: "linux" } },
        { digest: `sha256:${sha256(amd)}`, platform: { architecture: "amd64", os: "linux" } },
      ],
    });
    const entry = {
      mediaType: "application/vnd.oci.image.index.v1+json",
      digest: `sha256:${sha256(index)}`,
      annotations: { "org.opencontainers.image.ref.name": "localhost/x:1" },
    };
    const blobs = [amd, arm, index].map((content) => ({ name: `blobs/sha256/${sha256(content)}`, content }));
    const bytes = tar([...blobs, { name: "index.json", content: JSON.stringify({ manifests: [entry] }) }]);
    assert.deepEqual(await read(bytes), [{ name: "localhost/x:1", imageId: sha256('{"a":1}') }]);
  });

  test("what is refused, and why", async () => {
    const cases: [string, Uint8Array, RegExp][] = [
      ["nothing", Buffer.alloc(0), /no tar archive/],
      ["text", Buffer.from("hello".repeat(300)), /no tar archive/],
      ["zeros", Buffer.alloc(4096), /is empty/],
      ["gzip", gzipSync(dockerArchive(["a:1"])), /compressed with gzip/],
      ["zstd", zstdCompressSync(dockerArchive(["a:1"])), /compressed with zstd/],
      ["cut short", dockerArchive(["a:1"]).subarray(0, 1200), /cut short/],
      ["other tar", tar([{ name: "etc/passwd", content: "root" }]), /neither manifest.json nor index.json/],
      ["no names", dockerArchive(null), /names no image/],
      ["bad manifest", tar([{ name: "manifest.json", content: '{"a":' }]), /not JSON/],
      ["odd manifest", tar([{ name: "manifest.json", content: '{"a":1}' }]), /another form/],
      [
        "missing configuration",
        tar([{ name: "manifest.json", content: '[{"Config":"x.json","RepoTags":["a:1"]}]' }]),
        /lacks x.json/,
      ],
      [
        "another digest",
        tar([
          { name: `${"0".repeat(64)}.json`, content: "{}" },
          { name: "manifest.json", content: `[{"Config":"${"0".repeat(64)}.json","RepoTags":["a:1"]}]` },
        ]),
        /another digest/,
      ],
      ["bad name", dockerArchive(["../../etc:1"]), /of the name/],
    ];
    for (const [what, bytes, message] of cases) {
      await assert.rejects(
        read(bytes),
        (error) => error instanceof KeelError && error.code === "KEEL-107" && message.test(error.message),
        what,
      );
    }
  });

  test("names are read as podman reads them", () => {
    assert.equal(archiveName("nginx"), "docker.io/library/nginx:latest");
    assert.equal(archiveName("me/nginx:1"), "docker.io/me/nginx:1");
    assert.equal(archiveName("localhost:5000/nginx"), "localhost:5000/nginx:latest");
    assert.equal(ociName({ "org.opencontainers.image.ref.name": "hello" }), "localhost/hello:latest");
    assert.equal(ociName({}), undefined);
  });

  test("members are listed as tar lists them", async () => {
    const tree = join(folder, "tree");
    const deep = join(tree, "d".repeat(90), "e".repeat(90));
    await mkdir(deep, { recursive: true });
    await writeFile(join(deep, `${"f".repeat(150)}.txt`), "long");
    await writeFile(join(tree, "ä.txt"), "x".repeat(1000));
    for (const format of ["gnu", "pax"]) {
      const bytes = execFileSync("tar", ["-C", tree, `--format=${format}`, "-cf", "-", "."], {
        maxBuffer: 1 << 24,
      });
      const wanted = execFileSync("tar", ["-tf", "-"], { input: bytes, env: { LC_ALL: "C.UTF-8" } })
        .toString()
        .trim()
        .split("\n");
      const names = (await list(bytes)).map(({ name }) => name).filter((name) => name !== "");
      assert.deepEqual(
        names,
        wanted.map((name) => name.replace(/^\.\//, "").replace(/\/$/, "")).filter((name) => name !== ""),
        format,
      );
    }
  });

  test("prefixes, sizes in base 256 and a missing end are read", async () => {
    const bytes = tar(
      [
        { name: "b.txt", prefix: "a", content: "x" },
        { name: "c", content: "yy", binarySize: true },
      ],
      { end: false },
    );
    assert.deepEqual(
      (await list(bytes)).map(({ name, size }) => ({ name, size })),
      [
        { name: "a/b.txt", size: 1 },
        { name: "c", size: 2 },
      ],
    );
  });

  test("property: damaged bytes are refused or read, never anything else", async () => {
    const whole = [dockerArchive(["a:1"]), ociArchive({ "org.opencontainers.image.ref.name": "b:1" })];
    const damage = fc.array(fc.tuple(fc.nat(6000), fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...whole), damage, fc.nat(6000), async (bytes, edits, cut) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of edits) if (at < copy.length) copy[at] = value;
        try {
          await read(copy.subarray(0, Math.max(1, copy.length - cut)));
        } catch (error) {
          assert.ok(error instanceof KeelError && error.code === "KEEL-107", String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
