// A store as a source of backups.
import { EtcdError, type EtcdClient } from "@keelson/etcd/client";
import { isEmbedded } from "@keelson/etcd/migration";
import { KeelError } from "../base/errors.ts";
import type { BackupManifest, BackupSource } from "../model/backup.ts";
import { isStoreAway } from "./store-client.ts";

/** HashKV goes through the whole history. */
const hashMs = 60_000;

export class EtcdBackupSource implements BackupSource {
  readonly #current: () => EtcdClient;

  /** `current` gives the client for the next call: the store may go elsewhere. */
  constructor(current: () => EtcdClient) {
    this.#current = current;
  }

  async describe(): Promise<BackupManifest["store"]> {
    return await said(async () => {
      const client = this.#current();
      const { version } = await client.status();
      return { kind: (await isEmbedded(client)) ? "embedded" : "etcd", version };
    });
  }

  async *snapshot(signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.#current().snapshot({ signal });
    } catch (error) {
      throw asKeelError(error);
    }
  }

  async hashKv(revision: number) {
    return await said(() =>
      this.#current().hashKv(revision === 0 ? undefined : revision, { deadlineMs: hashMs }),
    );
  }
}

async function said<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asKeelError(error);
  }
}

function asKeelError(error: unknown): unknown {
  if (!(error instanceof EtcdError)) return error;
  const code = isStoreAway(error) ? "KEEL-401" : error.code === "COMPACTED" ? "KEEL-713" : "KEEL-715";
  return new KeelError(code, error.message, { cause: error });
}
