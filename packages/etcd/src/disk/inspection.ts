// Looks at a data directory without changing anything in it, and goes on after the first damage.

import { access } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as pause } from "node:timers/promises";
import { EtcdError } from "../errors.ts";
import { Crc32c } from "./crc32c.ts";
import { systemDisk, type Disk } from "./disk.ts";
import { damaged, ioError, type Damage } from "./failure.ts";
import { readIdentity, type Identity, type Place } from "./identity.ts";
import { DirectoryLock } from "./lock.ts";
import { cutOffOf, listSegments, scanLog, type CutOff, type Recovery } from "./recovery.ts";
import { readSegment, segmentPath, type Medium } from "./segment.ts";
import { listSnapshots, readSnapshot } from "./snapshot.ts";

export interface InspectedFile {
  readonly path: string;
  readonly bytes: number;
}

export interface InspectedSnapshot extends InspectedFile {
  /** Index of the last record that is in it. */
  readonly index: number;
}

export interface InspectedSegment extends InspectedFile {
  readonly records: number;
  /** Index of its last record, if it has any. */
  readonly lastIndex: number | undefined;
}

/** What a data directory holds, and what is wrong with it. */
export interface Inspection {
  readonly identity: Identity | undefined;
  /** Newest first; the first one counts. */
  readonly snapshots: readonly InspectedSnapshot[];
  readonly segments: readonly InspectedSegment[];
  readonly lastIndex: number;
  /** The end of a write that a crash tore. It is no damage: the next start cuts it off. */
  readonly cutOff: CutOff | undefined;
  readonly damage: readonly Damage[];
}

export interface InspectionOptions {
  readonly path: string;
  readonly logPath?: string | undefined;
  readonly disk?: Disk | undefined;
}

/**
 * Reads everything in a directory and hands it over as far as it is intact. Throws STORE_IN_USE while a server
 * uses it, and STORE_IO if there is no store or it cannot be read.
 */
export async function inspectDirectory(options: InspectionOptions, recovery: Recovery): Promise<Inspection> {
  const { path, logPath = join(path, "log"), disk = systemDisk } = options;
  using _lock = await lockIfUsed(path);
  const medium: Medium = { disk, crc: new Crc32c() };
  return await new Inspector({ path, logPath, disk }, medium).inspect(recovery);
}

/** A directory that was never used has no lock, and none is made in it. */
async function lockIfUsed(path: string): Promise<Disposable | undefined> {
  const lock = join(path, "lock");
  const isThere = await access(lock).then(
    () => true,
    () => false,
  );
  return isThere ? DirectoryLock.take(lock) : undefined;
}

class Inspector {
  readonly #place: Place;
  readonly #medium: Medium;
  readonly #damage: Damage[] = [];

  constructor(place: Place, medium: Medium) {
    this.#place = place;
    this.#medium = medium;
  }

  async inspect(recovery: Recovery): Promise<Inspection> {
    const { path } = this.#place;
    const identity = await this.#noting(readIdentity(this.#place));
    if (identity === undefined && this.#damage.length === 0) {
      throw new EtcdError("STORE_IO", `${path} holds no store: it has no format.json`);
    }
    const snapshots = await this.#snapshots(recovery);
    const snapshotIndex = snapshots[0]?.index ?? 0;
    await this.#eachSegment();
    const scanned =
      this.#damage.length > 0
        ? undefined
        : await this.#noting(scanLog(this.#place.logPath, recovery, { ...this.#medium, snapshotIndex }));
    return {
      identity,
      snapshots,
      segments: (scanned?.segments ?? []).map((segment) => ({
        path: segment.path,
        bytes: segment.size,
        records: segment.records,
        lastIndex: segment.lastIndex,
      })),
      lastIndex: scanned?.lastIndex ?? 0,
      cutOff: scanned === undefined ? undefined : cutOffOf(scanned),
      damage: this.#damage,
    };
  }

  async #snapshots(recovery: Recovery): Promise<readonly InspectedSnapshot[]> {
    const snapshots: InspectedSnapshot[] = [];
    for (const file of await listSnapshots(this.#place.path, this.#medium.disk)) {
      const { chunks } = (await this.#noting(readSnapshot(file, this.#medium))) ?? { chunks: [] };
      // Only the newest counts.
      for (const chunk of snapshots.length === 0 ? chunks : []) {
        recovery.snapshot(chunk);
        await pause();
      }
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      snapshots.push({ path: file.path, index: file.index, bytes });
    }
    return snapshots;
  }

  /** Each segment by itself, so that damage in several is told. */
  async #eachSegment(): Promise<void> {
    const { logPath } = this.#place;
    const sequences = await listSegments(logPath, this.#medium).catch((cause: unknown) => {
      throw ioError(logPath, "read", cause);
    });
    for (const sequence of sequences) {
      const path = segmentPath(logPath, sequence);
      const content = await this.#noting(readSegment(path, sequence, this.#medium));
      if (content?.intactBehind === undefined) continue;
      this.#note(damaged(path, content.end, `intact records follow at byte ${content.intactBehind}`));
    }
  }

  async #noting<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== "STORE_DAMAGED") throw error;
      this.#note(error);
      return undefined;
    }
  }

  #note(error: EtcdError): void {
    this.#damage.push(error.cause as Damage);
  }
}
