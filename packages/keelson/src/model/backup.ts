// Backups of the store: what is written beside one, and where one comes from.
import * as z from "zod/mini";

const count = z.int().check(z.gte(0));

/** What lies beside a backup, as FILE.json. */
export const manifestSchema = z.object({
  format: z.literal(1),
  /** Name of the file, without its folder. */
  file: z.string(),
  /** Unix time in milliseconds. */
  takenAt: count,
  cluster: z.string(),
  store: z.object({ kind: z.enum(["embedded", "etcd"]), version: z.string() }),
  bytes: count,
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  /** What the source said of itself at the backup's revision; missing until it was asked. */
  source: z.optional(z.object({ revision: count, compactRevision: z.int(), hash: count })),
  /** When a store restored from the file was last seen to have the source's HashKV. */
  provenAt: z.optional(count),
  /** Why it could not be proven, the last time that this was tried. */
  failure: z.optional(z.string()),
});
export type BackupManifest = z.infer<typeof manifestSchema>;

/** A store that can be backed up. */
export interface BackupSource {
  describe(): Promise<BackupManifest["store"]>;
  /** Its database file in pieces, the last 32 bytes being the SHA-256 of the others. */
  snapshot(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** etcd's HashKV as of a revision, 0 for the current one. KEEL-713 if it cannot be had any more. */
  hashKv(
    revision: number,
  ): Promise<{ readonly hash: number; readonly revision: number; readonly compactRevision: number }>;
}

export const hashSchema = z.looseObject({ hash: count, revision: count, compactRevision: z.int() });
export const storeKindSchema = z.looseObject({ kind: z.enum(["embedded", "etcd"]), version: z.string() });

/** What a restore of the running store will do. */
export interface RestorePlan {
  /** Names the file that was handed in, for as long as no other one is. */
  readonly id: string;
  readonly backup: { readonly revision: number; readonly keys: number };
  /** The store at the time of the plan, in Unix milliseconds. */
  readonly store: { readonly revision: number; readonly keys: number; readonly at: number };
  /** How many keys differ; what the machines are and do is not restored and not counted. */
  readonly keys: { readonly added: number; readonly changed: number; readonly gone: number };
  readonly units: {
    /** In the backup only. */
    readonly appear: readonly string[];
    /** In the store only: they are stopped. */
    readonly vanish: readonly string[];
    /** Of another file, or wanted otherwise. */
    readonly change: readonly string[];
  };
  /** Where the present store goes. */
  readonly keptAs: string;
}

/** Restores the store that runs in this daemon. */
export interface StoreRestore {
  /** Takes a backup in, proves it in a scratch store and compares it with the store. Throws KEEL-721, KEEL-724. */
  plan(file: AsyncIterable<Uint8Array>): Promise<RestorePlan>;
  /** Forgets a file that was taken in. */
  drop(): Promise<void>;
  /** Puts the restored store in the place of the present one. Throws KEEL-403, and KEEL-725 when that goes on. */
  carryOut(
    id: string,
    tell: (words: string) => void,
  ): Promise<{ readonly keptAs: string; readonly pauseMs: number }>;
}
