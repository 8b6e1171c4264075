// Images that believe a root of trust of the tests', and signed releases of them: real files, made once and kept in
// the cache as long as what they are made from stays the same.
import { createHash, createPrivateKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { buildImage } from "../../../packages/keelson/src/image/build-image.ts";
import type { BuiltImage } from "../../../packages/keelson/src/image/build-image.ts";
import type { SecureBoot } from "../../../packages/keelson/src/image/unified-kernel.ts";
import { ContentCache } from "../../../packages/keelson/src/local/tree/content-cache.ts";
import { defaultCacheDirectory } from "../../../packages/keelson/src/local/tree/machine-tree.ts";
import { runTool } from "../../../packages/keelson/src/local/tree/tools-tree.ts";
import { releaseFileName } from "../../../packages/keelson/src/model/os-image.ts";
import { publicKeyOf, signEnvelope, writeEnvelope } from "../../../packages/keelson/src/releases/envelope.ts";
import { releaseEnvelope } from "../../../packages/keelson/src/releases/release.ts";
import type { ReleaseFile, ReleaseManifest } from "../../../packages/keelson/src/releases/manifest.ts";
import { rootEnvelope } from "../../../packages/keelson/src/releases/root.ts";
import type { Root } from "../../../packages/keelson/src/releases/root.ts";
import { testTools } from "./machine.ts";

const repository = resolve(import.meta.dirname, "../../..");

/** The same at every run, so that images with the root of these keys are found in the cache. */
function testKey(role: string): KeyObject {
  const seed = createHash("sha256").update(`a key of the tests, guarded by nobody: ${role}`).digest();
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

const roles = ["root", "release", "channel"] as const;
export const testKeys = { root: testKey("root"), release: testKey("release"), channel: testKey("channel") };

/** 2026-01-01 and 2099-01-01. */
const made = 1_767_225_600;
const ends = 4_070_908_800;

export const testRoot: Root = {
  schema: 1,
  products: ["keelson-os"],
  version: 1,
  purpose: "development",
  created: made,
  expires: ends,
  keys: roles.map((role) => ({ ...publicKeyOf(testKeys[role]), name: `tests ${role}` })),
  roles: {
    root: { keys: [publicKeyOf(testKeys.root).id], threshold: 1 },
    release: { keys: [publicKeyOf(testKeys.release).id], threshold: 1 },
    channel: { keys: [publicKeyOf(testKeys.channel).id], threshold: 1 },
  },
  generation: 0,
  epoch: { least: 0, most: 10 },
};

/** An image of this checkout that believes {@link testRoot}. Its files lie in the cache: nothing may change there. */
export async function testImage(version: string, secureBoot?: SecureBoot): Promise<BuiltImage> {
  const cache = new ContentCache(defaultCacheDirectory);
  const signed = writeEnvelope(signEnvelope(rootEnvelope(testRoot), testKeys.root));
  const name = createHash("sha256").update(signed).digest("hex").slice(0, 16);
  const folder = await cache.entry("test-trust", name, (target) =>
    writeFile(join(target, "root.json"), signed),
  );
  const progress = { step: () => ({ update() {}, done() {}, fail() {} }) };
  return buildImage({
    repository,
    variant: "vm",
    version,
    trust: join(folder, "root.json"),
    progress,
    ...(secureBoot === undefined ? {} : { secureBoot }),
  });
}

export interface TestRelease {
  readonly image: BuiltImage;
  /** Holds the release's files, and is the caller's own. */
  readonly folder: string;
  readonly manifest: ReleaseManifest;
}

/** Writes a signed release of an image into a folder. */
export async function writeTestRelease(
  image: BuiltImage,
  folder: string,
  change: (manifest: ReleaseManifest) => ReleaseManifest = (same) => same,
): Promise<TestRelease> {
  await mkdir(folder, { recursive: true });
  const name = { version: image.version, variant: image.variant, architecture: image.architecture };
  const place = (part: Parameters<typeof releaseFileName>[1]): string =>
    join(folder, releaseFileName(name, part));
  await copyFile(await packedRoot(image), place("root.zst"));
  await copyFile(image.kernel, place("efi"));
  const now = Math.floor(Date.now() / 1000);
  const manifest = change({
    schema: 1,
    product: "keelson-os",
    ...name,
    architecture: image.architecture === "arm64" ? "arm64" : "amd64",
    epoch: 0,
    created: now - 3600,
    expires: now + 86_400,
    root: {
      ...(await described(place("root.zst"))),
      unpacked: without(await described(image.root.path)),
      verity: image.root.verity.rootHash,
      uuid: image.root.uuid,
    },
    kernel: await described(place("efi")),
  });
  await writeFile(
    place("manifest.json"),
    writeEnvelope(signEnvelope(releaseEnvelope(manifest), testKeys.release)),
  );
  return { image, folder, manifest };
}

/** Packed quickly, once for each image. */
async function packedRoot(image: BuiltImage): Promise<string> {
  const cache = new ContentCache(defaultCacheDirectory);
  const tools = await testTools();
  const folder = await cache.entry("test-roots", image.root.verity.rootHash.slice(0, 32), async (target) => {
    const output = join(target, "root.zst");
    await runTool(tools, ["zstd", "-3", "-q", "-T2", image.root.path, "-o", output], {
      binds: [image.folder, target],
    });
  });
  return join(folder, "root.zst");
}

async function described(path: string): Promise<ReleaseFile> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return { name: basename(path), size: (await stat(path)).size, sha256: hash.digest("hex") };
}

function without({ size, sha256 }: ReleaseFile): { readonly size: number; readonly sha256: string } {
  return { size, sha256 };
}

/** The file's bytes, for servers of tests. */
export function releaseBytes(
  release: TestRelease,
  part: Parameters<typeof releaseFileName>[1],
): Promise<Buffer> {
  return readFile(join(release.folder, releaseFileName(release.manifest, part)));
}
