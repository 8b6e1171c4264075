// The files of a release as docs/os-image.md names them, made from a build: what is downloaded, what is in it, and
// the manifest that is signed later.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asStep, formatBytes } from "../local/progress.ts";
import type { Progress } from "../local/progress.ts";
import { ContentCache } from "../local/tree/content-cache.ts";
import { defaultCacheDirectory } from "../local/tree/machine-tree.ts";
import { releaseFileName } from "../model/os-image.ts";
import { runCommand } from "../local/command.ts";
import type { ReleaseFile, ReleaseManifest } from "../releases/manifest.ts";
import type { BuiltImage } from "./build-image.ts";
import { makeSbom, parsePackageList, programComponents } from "./sbom.ts";
import { runTool, toolsTree } from "../local/tree/tools-tree.ts";

/** How long a release may be installed after it was made, unless its signer says otherwise. */
const validSeconds = 365 * 24 * 3600;

export interface ReleaseFilesOptions {
  readonly repository: string;
  readonly image: BuiltImage;
  /** The folder that the files go to, made when it is missing. */
  readonly output: string;
  /** small: what releases use, minutes. quick: a quarter more bytes, seconds, for trying things. */
  readonly compression: "small" | "quick";
  /** False leaves the disk in the cache, where nothing may be changed. */
  readonly withDisk?: boolean;
  readonly cacheDirectory?: string;
  readonly progress: Progress;
}

export interface ReleaseFolder {
  readonly folder: string;
  readonly manifest: ReleaseManifest;
  /** The manifest's file, not signed. */
  readonly manifestFile: string;
  readonly disk: string;
}

// A window of 128 MiB is what machines unpack with: updater/sources/unpack.ts.
const levels = { small: ["--ultra", "-22", "--long=27", "-T1"], quick: ["-3", "-T1"] } as const;

/** Writes the release's files. Compressing is cached: the same root takes its time once. */
export async function writeRelease(options: ReleaseFilesOptions): Promise<ReleaseFolder> {
  const { image, output, repository } = options;
  await mkdir(output, { recursive: true });
  const archive = await compressedRoot(options);
  const place = (part: Parameters<typeof releaseFileName>[1]): string =>
    join(output, releaseFileName(image, part));
  await copyFile(archive, place("root.zst"));
  await copyFile(image.kernel, place("efi"));
  const components = [
    ...parsePackageList(await readFile(image.packageList, "utf8")),
    ...(await programComponents(repository)),
  ];
  const sbom = makeSbom({ release: image, components, created: image.epoch });
  await writeFile(place("sbom.json"), `${JSON.stringify(sbom, undefined, 1)}\n`);
  const root = await described(place("root.zst"), releaseFileName(image, "root.zst"));
  const unpacked = await described(image.root.path, "root.img");
  const { version, variant, epoch } = image;
  const manifest: ReleaseManifest = {
    schema: 1,
    product: "keelson-os",
    version,
    epoch: 0,
    variant,
    architecture: image.architecture,
    created: epoch,
    expires: epoch + validSeconds,
    root: {
      ...root,
      unpacked: { size: unpacked.size, sha256: unpacked.sha256 },
      verity: image.root.verity.rootHash,
      uuid: image.root.uuid,
    },
    kernel: await described(place("efi"), releaseFileName(image, "efi")),
    sbom: await described(place("sbom.json"), releaseFileName(image, "sbom.json")),
  };
  const manifestFile = place("manifest.json");
  await writeFile(manifestFile, `${JSON.stringify(manifest, undefined, 1)}\n`);
  const disk = join(output, `keelson_${version}_${variant}_${image.architecture}.raw`);
  if (options.withDisk !== false) await copyDisk(image.disk, disk);
  return { folder: output, manifest, manifestFile, disk: options.withDisk === false ? image.disk : disk };
}

/** A disk of its own: holes stay holes, and a half copied one has another name. */
export async function copyDisk(from: string, to: string): Promise<void> {
  await runCommand(["cp", "--sparse=always", from, `${to}.new`]);
  await rename(`${to}.new`, to);
}

/** The root as it travels: the path of the archive in the cache, made when it is not there. */
export async function compressedRoot(
  options: Pick<ReleaseFilesOptions, "repository" | "image" | "compression" | "cacheDirectory" | "progress">,
): Promise<string> {
  const { image, compression, progress, repository } = options;
  const cacheDirectory = options.cacheDirectory ?? defaultCacheDirectory;
  const tools = await toolsTree({ repository, cacheDirectory, progress });
  const hash = createHash("sha256").update(`${image.root.verity.rootHash} ${levels[compression].join(" ")}`);
  const folder = await new ContentCache(cacheDirectory).entry(
    "root-archives",
    hash.digest("hex").slice(0, 16),
    (target) =>
      asStep(
        progress,
        "compress the root file system",
        async () => {
          const path = join(target, "root.zst");
          const argv = ["zstd", "--quiet", ...levels[compression], image.root.path, "-o", path];
          await runTool(tools, argv, { binds: [image.folder, target] });
          return (await stat(path)).size;
        },
        formatBytes,
      ),
  );
  return join(folder, "root.zst");
}

async function described(path: string, name: string): Promise<ReleaseFile> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Uint8Array);
    size += (chunk as Uint8Array).length;
  }
  return { name, size, sha256: hash.digest("hex") };
}
