// Takes a backup of a live store and proves it: the file, then the manifest, then the proof in the manifest. A
// crash in between leaves a file that is shown as never proven.
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { describeError, KeelError } from "../base/errors.ts";
import type { BackupManifest, BackupSource } from "../model/backup.ts";
import { readManifest, writeManifest, writeWhole } from "./manifest.ts";
import { digestOf, restoreOnTrial } from "./prove-backup.ts";
import type { RestoredStore } from "./prove-backup.ts";

export interface BackupOptions {
  readonly source: BackupSource;
  readonly file: string;
  readonly cluster: string;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** A source that is compacted between snapshot and proof is taken anew so many times. */
const tries = 5;

/** Throws KEEL-722 if the backup could not be proven: the file stays, and its manifest says why. */
export async function takeBackup(options: BackupOptions): Promise<BackupManifest> {
  const { source, file, now } = options;
  for (let attempt = 1; ; attempt++) {
    let manifest = await write(options);
    const restored = await restoreOnTrial(file).catch(async (error: unknown) => {
      await writeManifest(file, { ...manifest, failure: describeError(error) });
      throw error;
    });
    const said = await sourceHash(source, restored);
    // Compacted meanwhile: it cannot say any more what it was.
    if (said === undefined && attempt < tries) continue;
    if (said === undefined) {
      const failure = `the source was compacted ${tries} times while it was backed up`;
      await writeManifest(file, { ...manifest, failure });
      throw new KeelError("KEEL-722", `${file}: ${failure}`);
    }
    const { hash, compactRevision } = said;
    manifest = { ...manifest, source: { revision: restored.revision, compactRevision, hash } };
    if (hash === restored.hash) {
      const proven = { ...manifest, provenAt: now() };
      await writeManifest(file, proven);
      return proven;
    }
    const failure = unequal(hash, restored.hash);
    await writeManifest(file, { ...manifest, failure });
    throw new KeelError("KEEL-722", `${file}: ${failure}`);
  }
}

/** What the source was at the backup's revision; undefined if it no longer knows. */
async function sourceHash(source: BackupSource, restored: RestoredStore) {
  const now = await source.hashKv(0);
  if (now.revision === restored.revision)
    return now.compactRevision <= restored.compactRevision ? now : undefined;
  // For a revision that was compacted itself, etcd answers the sum of all that the compaction went through.
  if (restored.compactRevision === restored.revision) return undefined;
  const then = await source.hashKv(restored.revision).catch((error: unknown) => {
    if (error instanceof KeelError && error.code === "KEEL-713") return undefined;
    throw error;
  });
  return then === undefined || then.compactRevision > restored.compactRevision ? undefined : then;
}

export interface Verification {
  readonly file: string;
  /** `restorable`: it can be restored, but nothing says what its source was. */
  readonly outcome: "proven" | "restorable";
  readonly revision: number;
  readonly hash: number;
  readonly keys: number;
  readonly leases: number;
}

/** Proves a backup again. Throws KEEL-721 if it cannot be restored or is another file than its manifest's, KEEL-722. */
export async function verifyBackup(file: string, now: () => number): Promise<Verification> {
  const manifest = await readManifest(file);
  try {
    const digest = await digestOf(file);
    if (manifest !== undefined && digest.sha256 !== manifest.sha256) {
      throw new KeelError(
        "KEEL-721",
        `${file} is not the file that its manifest tells of: the SHA-256 differs`,
      );
    }
    const { revision, hash, keys, leases } = await restoreOnTrial(file);
    const facts = { file, revision, hash, keys, leases };
    if (manifest?.source === undefined) return { ...facts, outcome: "restorable" };
    if (hash !== manifest.source.hash || revision !== manifest.source.revision) {
      throw new KeelError("KEEL-722", `${file}: ${unequal(manifest.source.hash, hash)}`);
    }
    const { failure: _failure, ...kept } = manifest;
    await writeManifest(file, { ...kept, provenAt: now() });
    return { ...facts, outcome: "proven" };
  } catch (error) {
    if (manifest !== undefined && error instanceof KeelError) {
      const { provenAt: _provenAt, ...kept } = manifest;
      await writeManifest(file, { ...kept, failure: error.message });
    }
    throw error;
  }
}

async function write(options: BackupOptions): Promise<BackupManifest> {
  const { source, file, cluster, now, signal } = options;
  const store = await source.describe();
  const takenAt = now();
  const hash = createHash("sha256");
  let bytes = 0;
  await writeWhole(file, async (put) => {
    for await (const piece of source.snapshot(signal)) {
      hash.update(piece);
      bytes += piece.length;
      await put(piece);
    }
  });
  const manifest: BackupManifest = {
    format: 1,
    file: basename(file),
    takenAt,
    cluster,
    store,
    bytes,
    sha256: hash.digest("hex"),
  };
  await writeManifest(file, manifest);
  return manifest;
}

function unequal(source: number, restored: number): string {
  return `HashKV is ${source} at the source and ${restored} in a store restored from the backup`;
}
