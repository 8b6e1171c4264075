// A machine on a simulated disk, with real records, real trust and real signatures; and releases for it.
import { createHash } from "node:crypto";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { systemClock } from "../../src/base/clock.ts";
import type { Clock } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import { KeelError } from "../../src/base/errors.ts";
import { deltaFileName, releaseFileName } from "../../src/model/os-image.ts";
import type { ImageReader } from "../../src/releases/apply-delta.ts";
import { makeDelta } from "../../src/releases/make-delta.ts";
import type { ReleaseManifest } from "../../src/releases/manifest.ts";
import { DiskSlots } from "../../src/updater/disk-slots/disk-slots.ts";
import type { TrustFiles } from "../../src/updater/machine-trust.ts";
import { Records } from "../../src/updater/records.ts";
import { makeKernel } from "../../src/updater/simulated-disk/simulated-kernel.ts";
import type { SimulatedDisk } from "../../src/updater/simulated-disk/simulated-disk.ts";
import {
  releaseOf,
  simulatedMachine,
  simulatedRelease,
} from "../../src/updater/simulated-disk/simulated-machine.ts";
import type { SimulatedRelease } from "../../src/updater/simulated-disk/simulated-machine.ts";
import { PartialFiles } from "../../src/updater/sources/partial-file.ts";
import { Updater } from "../../src/updater/updater.ts";
import type { UpdateOptions, UpdaterParts } from "../../src/updater/updater.ts";
import { day, makeManifest, now, signedRelease, signedRoot, root } from "../releases/ceremony.ts";

export const architecture = process.arch === "arm64" ? "arm64" : "amd64";
export const imageBytes = 1_100_000;
export const runningRelease = simulatedRelease("2.0.0", imageBytes - (imageBytes % 4096));

export interface MachineUnderTest extends AsyncDisposable {
  readonly folder: string;
  readonly disk: SimulatedDisk;
  readonly slots: DiskSlots;
  readonly records: Records;
  readonly parts: UpdaterParts;
  readonly trustFiles: TrustFiles;
  readonly updater: Updater;
}

/** Time stands at the ceremony's, and waiting takes none. */
export const testClock: Clock = {
  ...systemClock,
  wall: () => now * 1000,
  sleep: async (_ms, signal) => signal?.throwIfAborted(),
};

export async function machineUnderTest(
  options: {
    readonly seed?: number;
    readonly failed?: readonly { readonly version: string; readonly reason: string }[];
    readonly espBytes?: number;
    readonly parts?: Partial<UpdaterParts>;
  } = {},
): Promise<MachineUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-updater-"));
  const random = seededRandom(options.seed ?? 1);
  const disk = await simulatedMachine(runningRelease, {
    random,
    ...(options.espBytes === undefined ? {} : { espBytes: options.espBytes }),
  });
  const slots = new DiskSlots(disk);
  const records = new Records(join(folder, "os"));
  const trustFiles = {
    shipped: join(folder, "root.json"),
    folder: join(folder, "os/trust"),
    memory: join(folder, "os/trust/memory.json"),
    osRelease: join(folder, "os-release"),
  };
  await writeFile(trustFiles.shipped, signedRoot(root));
  await writeFile(trustFiles.osRelease, 'NAME="Keelson"\nKEELSON_EPOCH=1\n');
  let locked = false;
  const parts: UpdaterParts = {
    slots,
    records,
    partials: new PartialFiles(join(folder, "os/download")),
    trustFiles,
    variant: () => Promise.resolve("vm"),
    failed: () => Promise.resolve(options.failed ?? []),
    lock: async () => {
      if (locked) throw new KeelError("KEEL-803", "busy");
      locked = true;
      return { [Symbol.asyncDispose]: async () => void (locked = false) };
    },
    clock: testClock,
    random,
    ...options.parts,
  };
  return {
    folder,
    disk,
    slots,
    records,
    parts,
    trustFiles,
    updater: new Updater(parts),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface PublishedRelease extends SimulatedRelease {
  readonly manifest: ReleaseManifest;
  /** Files by name, the signed manifest among them. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** A release whose image is, but for its head, one that there is already. */
export function similarRelease(version: string, image: Uint8Array): SimulatedRelease {
  const release = simulatedRelease(version, image.byteLength);
  const similar = Buffer.concat([release.image.subarray(0, 4096), image.subarray(4096)]);
  const sha256 = createHash("sha256").update(similar).digest("hex");
  const { uuid } = release;
  return {
    ...release,
    image: similar,
    kernel: makeKernel({ version, uuid, sha256, bytes: similar.byteLength }),
  };
}

/** A release with its signed manifest. `change` is made before it is signed. */
export function publish(
  version: string,
  change: (manifest: ReleaseManifest) => ReleaseManifest = (same) => same,
  release: SimulatedRelease = simulatedRelease(version, imageBytes - (imageBytes % 4096) + 4096),
): PublishedRelease {
  const packed = zstdCompressSync(release.image);
  const name = { version, variant: "vm", architecture } as const;
  const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const imageHash = sha256(release.image);
  const { deltas: _d, sbom: _s, ...base } = makeManifest({ version, architecture });
  const manifest = change({
    ...base,
    created: now - day,
    root: {
      name: releaseFileName(name, "root.zst"),
      size: packed.byteLength,
      sha256: sha256(packed),
      unpacked: { size: release.image.byteLength, sha256: imageHash },
      verity: imageHash,
      uuid: release.uuid,
    },
    kernel: {
      name: releaseFileName(name, "efi"),
      size: release.kernel.byteLength,
      sha256: sha256(release.kernel),
    },
  });
  const files = new Map([
    [manifest.root.name, packed],
    [manifest.kernel.name, release.kernel],
    [releaseFileName(name, "manifest.json"), signedRelease(manifest)],
  ]);
  return { ...release, manifest, files };
}

/** A release that differs little from what runs, with a delta; `spoil` changes the delta's bytes before it is signed. */
export async function publishDelta(
  version: string,
  spoil: (delta: Buffer) => Buffer = (same) => same,
): Promise<PublishedRelease> {
  const image = Uint8Array.from(runningRelease.image);
  createHash("sha256")
    .update(version)
    .digest()
    .copy(image, 1024 + 48, 0, 16);
  image.fill(7, 500_000, 520_000);
  const parts: Uint8Array[] = [];
  const { head } = await makeDelta({
    base: imageReader(runningRelease.image),
    result: imageReader(image),
    write: async (chunk) => void parts.push(Uint8Array.from(chunk)),
  });
  const delta = spoil(Buffer.concat(parts));
  const from = runningRelease.version;
  const name = deltaFileName(from, { version, variant: "vm", architecture });
  const sha256 = createHash("sha256").update(delta).digest("hex");
  const entry = { from, name, size: delta.byteLength, sha256, base: head.base };
  const published = publish(
    version,
    (manifest) => ({ ...manifest, deltas: [entry] }),
    releaseOf(version, image),
  );
  return { ...published, files: new Map([...published.files, [name, delta]]) };
}

function imageReader(image: Uint8Array): ImageReader {
  return { size: image.byteLength, read: async (offset, length) => image.subarray(offset, offset + length) };
}

export async function writeFolder(folder: string, ...releases: readonly PublishedRelease[]): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const { files } of releases)
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
  return folder;
}

export function wishes(change: Partial<UpdateOptions> = {}): UpdateOptions {
  return { allowDowngrade: false, force: false, signal: new AbortController().signal, ...change };
}
