import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreDirectory, type DirectoryOptions } from "../../src/disk/directory.ts";
import type { LogRecord } from "../../src/disk/frame.ts";

/** Small, so that a test sees many segments. */
export const SEGMENT_BYTES = 4096;

/** A directory that is removed when it is done with. */
export async function scratch(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "keelson-disk-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface Opened extends AsyncDisposable {
  readonly directory: StoreDirectory;
  /** What was recovered: "index:body" of each record, and the snapshot's chunks. */
  readonly records: readonly string[];
  readonly chunks: readonly string[];
}

export async function openDirectory(path: string, options: Partial<DirectoryOptions> = {}): Promise<Opened> {
  const records: string[] = [];
  const chunks: string[] = [];
  let next = 1n;
  const directory = await StoreDirectory.open(
    { path, segmentBytes: SEGMENT_BYTES, randomId: () => next++, onFailure: () => undefined, ...options },
    {
      snapshot: (chunk) => chunks.push(chunk.toString()),
      record: ({ body }, index) => records.push(`${index}:${Buffer.from(body).toString()}`),
    },
  );
  return { directory, records, chunks, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

export function record(text: string): LogRecord {
  return { kind: 1, body: Buffer.from(text) };
}

/** Resolves with the index when the record is on disk, rejects with why it is not. */
export function append({ log }: StoreDirectory, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    log.append(record(text), (error, index) => (error === undefined ? resolve(index) : reject(error)));
  });
}
