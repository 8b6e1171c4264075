import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describeError, KeelError } from "../base/errors.ts";
import type { BackupManifest } from "../model/backup.ts";
import { manifestSuffix, readManifest } from "./manifest.ts";
import { retain, type Retention, type RetentionRule } from "./retention.ts";

/** One backup in a directory. */
export interface FoundBackup {
  readonly file: string;
  readonly takenAt: number;
  readonly bytes: number;
  readonly state: "proven" | "never proven" | "failed";
  /** Why it failed, or what is wrong with its manifest. */
  readonly why: string | undefined;
  readonly manifest: BackupManifest | undefined;
}

/** How the files of a schedule are called: keelson-CLUSTER-20261121T080000Z.db */
export const backupSuffix = ".db";

export function backupName(cluster: string, at: number): string {
  const moment = new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `keelson-${cluster}-${moment}${backupSuffix}`;
}

/** The backups of a directory, newest first. Throws KEEL-703. */
export async function listBackups(directory: string): Promise<readonly FoundBackup[]> {
  let names: readonly string[];
  try {
    names = await readdir(directory);
  } catch (cause) {
    throw new KeelError("KEEL-703", `${directory} cannot be read: ${describeError(cause)}`, { cause });
  }
  const manifests = new Set(names.filter((name) => name.endsWith(manifestSuffix)));
  const files = names.filter((name) => name.endsWith(backupSuffix) || manifests.has(name + manifestSuffix));
  const found = await Promise.all(files.map((name) => look(join(directory, name))));
  return found.filter((one) => one !== undefined).sort((a, b) => b.takenAt - a.takenAt);
}

/** Removes what the rule does not keep, of one cluster's backups that a schedule has made. */
export async function applyRetention(
  directory: string,
  { cluster, rule }: { readonly cluster: string; readonly rule: RetentionRule },
): Promise<Retention> {
  const own = await scheduledBackups(directory, cluster);
  const decided = retain(
    own.map(({ file, takenAt, state }) => ({ file, takenAt, isProven: state === "proven" })),
    rule,
  );
  for (const file of decided.drop) await removeBackup(file);
  return decided;
}

/** Removes what failed and could not be proven, but for the newest, so that failures do not fill the disk. */
export async function removeFailed(directory: string, cluster: string): Promise<void> {
  const failed = (await scheduledBackups(directory, cluster)).filter(({ state }) => state !== "proven");
  for (const { file } of failed.slice(1)) await removeBackup(file);
}

async function scheduledBackups(directory: string, cluster: string): Promise<readonly FoundBackup[]> {
  const begins = join(directory, `keelson-${cluster}-`);
  const found = await listBackups(directory);
  return found.filter(({ manifest, file }) => manifest?.cluster === cluster && file.startsWith(begins));
}

/** The manifest last: what is left of a crash in between is still known as a backup. */
async function removeBackup(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(file + manifestSuffix, { force: true });
}

async function look(file: string): Promise<FoundBackup | undefined> {
  const status = await stat(file).catch(() => undefined);
  if (status?.isFile() !== true) return undefined;
  const facts = { file, bytes: status.size };
  try {
    const manifest = await readManifest(file);
    if (manifest === undefined) {
      return {
        ...facts,
        takenAt: status.mtimeMs,
        state: "never proven",
        why: "it has no manifest",
        manifest,
      };
    }
    const { takenAt, provenAt, failure } = manifest;
    if (failure !== undefined) return { ...facts, takenAt, state: "failed", why: failure, manifest };
    if (status.size !== manifest.bytes) {
      const why = `it has ${status.size} bytes, and had ${manifest.bytes}`;
      return { ...facts, takenAt, state: "failed", why, manifest };
    }
    return {
      ...facts,
      takenAt,
      state: provenAt === undefined ? "never proven" : "proven",
      why: undefined,
      manifest,
    };
  } catch (error) {
    const why = describeError(error);
    return { ...facts, takenAt: status.mtimeMs, state: "never proven", why, manifest: undefined };
  }
}
