// The store as keeld hands it out.
import { hashSchema, storeKindSchema } from "../../../model/backup.ts";
import type { BackupManifest, BackupSource } from "../../../model/backup.ts";
import type { Answer } from "../../daemon/answers/form.ts";
import type { DaemonClient } from "../../daemon/client.ts";

type Hash = Awaited<ReturnType<BackupSource["hashKv"]>>;

export class DaemonBackupSource implements BackupSource {
  readonly #daemon: DaemonClient;

  constructor(daemon: DaemonClient) {
    this.#daemon = daemon;
  }

  describe(): Promise<BackupManifest["store"]> {
    return this.#daemon.read("/v1/store/kind", storeKindSchema as unknown as Answer<BackupManifest["store"]>);
  }

  snapshot(signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#daemon.until(signal).bytes("/v1/store/snapshot");
  }

  hashKv(revision: number): Promise<Hash> {
    return this.#daemon.read(`/v1/store/hash?revision=${revision}`, hashSchema as unknown as Answer<Hash>);
  }
}
