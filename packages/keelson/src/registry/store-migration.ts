// How the store's whole content comes to another place: the etcd library's own move, with the same revisions.
import { EtcdError } from "@keelson/etcd/client";
import { migrate, resumeMigration, undoMigration } from "@keelson/etcd/migration";
import type { MigrationOptions, MigrationProgress, MigrationResult } from "@keelson/etcd/migration";
import { keys } from "../model/keys.ts";
import { locationCodec } from "../model/store.ts";
import type { StoreLocation } from "../model/store.ts";
import type { StoreAccess } from "./etcd-store.ts";

export interface StoreMigration {
  readonly from: StoreAccess;
  /** Empty. */
  readonly to: StoreAccess;
  /** Where the store is afterwards: written as the last change of the one and in the same revision of the other. */
  readonly location: StoreLocation;
  /** File that records the move. */
  readonly journal: string;
  readonly onProgress: (progress: MigrationProgress) => void;
  readonly signal?: AbortSignal;
}

/** Moves the store. When it rejects, the source serves as before, unless the journal is still there. */
export function migrateStore(migration: StoreMigration): Promise<MigrationResult> {
  return migrate(optionsOf(migration));
}

/**
 * Ends a move whose mover died: takes it back if nobody can have been told of the new place yet, and carries it to
 * its end otherwise. Resolves with what became of it.
 */
export async function settleMigration(migration: StoreMigration): Promise<"undone" | "done"> {
  const options = optionsOf(migration);
  try {
    await undoMigration(options);
    return "undone";
  } catch (error) {
    if (!(error instanceof EtcdError) || error.code !== "MIGRATION_REFUSED") throw error;
  }
  await resumeMigration(options);
  return "done";
}

function optionsOf(migration: StoreMigration): MigrationOptions {
  const { from, to, location, journal, onProgress, signal } = migration;
  return {
    from: { ...from },
    to: { ...to },
    journal,
    successor: location.endpoints,
    reason: `it moves to ${location.kind === "etcd" ? "a cluster" : "one machine"}`,
    handOver: async (last) => {
      await last.put(keys.storeLocation, locationCodec.encode(location));
    },
    onProgress,
    ...(signal === undefined ? {} : { signal }),
  };
}
