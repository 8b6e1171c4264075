// A backup is worth what can be restored from it: so it is restored, and compared with what it was taken from.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkStore, restoreSnapshot } from "@keelson/etcd/server";
import { describeError, KeelError } from "../base/errors.ts";

/** What a store restored from a backup is. */
export interface RestoredStore {
  readonly revision: number;
  readonly compactRevision: number;
  /** HashKV at its revision. */
  readonly hash: number;
  readonly keys: number;
  readonly leases: number;
}

/** Restores a backup into a directory beside it, reads that as a start would, and removes it. Throws KEEL-721. */
export async function restoreOnTrial(file: string): Promise<RestoredStore> {
  const scratch = await mkdtemp(join(dirname(file), ".proving-"));
  try {
    const dataDir = join(scratch, "store");
    await restoreSnapshot({ file, dataDir });
    const { damage, revision, compactRevision, hash, keys, leases } = await checkStore({ dataDir });
    if (damage.length > 0) throw new Error(`what was restored is damaged: ${damage[0]?.what}`);
    return { revision, compactRevision, hash, keys, leases };
  } catch (cause) {
    throw new KeelError("KEEL-721", `${file} cannot be restored: ${describeError(cause)}`, { cause });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** SHA-256 of a file, in hex, and its length. Throws KEEL-721. */
export async function digestOf(file: string): Promise<{ readonly sha256: string; readonly bytes: number }> {
  try {
    const { size } = await stat(file);
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    return { sha256: hash.digest("hex"), bytes: size };
  } catch (cause) {
    throw new KeelError("KEEL-721", `${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}
