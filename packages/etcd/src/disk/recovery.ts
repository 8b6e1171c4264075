// Reads a log back, and says what is wrong with it. Reading changes nothing; only once all is known to be well is
// what a crash left half made cleared away.

import { join } from "node:path";
import { damaged, ioError } from "./failure.ts";
import { giveBack } from "./disk.ts";
import type { Frame, LogRecord } from "./frame.ts";
import type { SegmentState } from "./log.ts";
import {
  clearRemains,
  confirmLastFrame,
  readSegment,
  segmentPath,
  sequenceOf,
  type Medium,
  type SegmentContent,
} from "./segment.ts";

/** Takes what a directory holds, during the call only: the chunks of the snapshot, then the log's records behind it. */
export interface Recovery {
  snapshot(chunk: Buffer): void;
  record(record: LogRecord, index: number): void;
}

/** A torn frame that recovery cut off. */
export interface CutOff {
  readonly path: string;
  readonly offset: number;
}

export interface ScannedSegment extends SegmentState {
  readonly path: string;
  /** Records in it. */
  readonly records: number;
}

export interface Scanned {
  /** Oldest first. */
  readonly segments: readonly ScannedSegment[];
  readonly lastIndex: number;
  /** The segment whose end a crash tore. */
  readonly torn: SegmentContent | undefined;
  /** The segment with the last records. */
  readonly last: SegmentContent | undefined;
}

/**
 * Hands over the records behind a snapshot. Throws STORE_DAMAGED when something is missing or not intact that no
 * crash can have torn.
 */
export async function scanLog(
  directory: string,
  recovery: Pick<Recovery, "record">,
  { snapshotIndex, ...medium }: Medium & { readonly snapshotIndex: number },
): Promise<Scanned> {
  const segments: ScannedSegment[] = [];
  let torn: SegmentContent | undefined;
  let last: SegmentContent | undefined;
  /** Index that the next frame must have. */
  let next: number | undefined;
  for (const sequence of await listSegments(directory, medium)) {
    const content = await readSegment(segmentPath(directory, sequence), sequence, medium);
    checkPlace(content, { before: segments.at(-1), torn, snapshotIndex });
    let records = 0;
    for (const frame of content.frames) {
      checkOrder(content, frame, { next, snapshotIndex });
      frame.records.forEach((record, place) => {
        if (frame.index + place > snapshotIndex) recovery.record(record, frame.index + place);
      });
      records += frame.records.length;
      next = frame.index + frame.records.length;
    }
    giveBack(content.bytes);
    if (content.hasRemains) torn = content;
    if (records > 0) last = content;
    const { path, salt, size, end } = content;
    const lastIndex = records === 0 || next === undefined ? undefined : next - 1;
    segments.push({ path, sequence, salt, size, end, records, lastIndex });
  }
  return { segments, lastIndex: Math.max(snapshotIndex, (next ?? 1) - 1), torn, last };
}

/**
 * Removes what a crash left half made, and makes durable what was read: after a write or a sync that failed, the
 * system's cache may show what the disk does not have. Throws STORE_IO.
 */
export async function mendLog(directory: string, { torn, last }: Scanned, { disk }: Medium): Promise<void> {
  try {
    for (const name of await disk.list(directory)) {
      if (name.endsWith(".new")) await disk.remove(join(directory, name));
    }
    await disk.syncDirectory(directory);
  } catch (cause) {
    throw ioError(directory, "mend", cause);
  }
  if (torn !== undefined) await clearRemains(torn, disk);
  if (last !== undefined) await confirmLastFrame(last, disk);
}

/** Where a torn frame is, that is or was cut off. */
export function cutOffOf({ torn }: Scanned): CutOff | undefined {
  return torn === undefined ? undefined : { path: torn.path, offset: torn.end };
}

function checkPlace(
  content: SegmentContent,
  found: {
    readonly before: SegmentState | undefined;
    readonly torn: SegmentContent | undefined;
    readonly snapshotIndex: number;
  },
): void {
  const { before, torn, snapshotIndex } = found;
  // A crash while old segments were removed can leave one in front of a gap: the snapshot holds all of it.
  const isNeeded = before !== undefined && (before.lastIndex ?? Infinity) > snapshotIndex;
  if (isNeeded && content.sequence !== before.sequence + 1) {
    throw damaged(content.path, 0, `segment ${before.sequence + 1} is missing before it`);
  }
  if (content.intactBehind !== undefined) {
    throw damaged(content.path, content.end, `intact records follow at byte ${content.intactBehind}`);
  }
  if (torn !== undefined && (content.frames.length > 0 || content.hasRemains)) {
    throw damaged(torn.path, torn.end, `more records follow in ${content.path}`);
  }
}

/** Records may be missing only where the snapshot holds them. */
function checkOrder(
  { path, end }: SegmentContent,
  { index }: Frame,
  { next, snapshotIndex }: { readonly next: number | undefined; readonly snapshotIndex: number },
): void {
  const most = Math.max(next ?? 0, snapshotIndex + 1);
  if (index > most) throw damaged(path, end, `records ${most} to ${index - 1} are missing`);
  if (index < (next ?? 0)) throw damaged(path, end, `record ${index} comes twice`);
}

/** Sequence numbers of the segments, in order. */
export async function listSegments(
  directory: string,
  { disk }: Pick<Medium, "disk">,
): Promise<readonly number[]> {
  const names = await disk.list(directory);
  return names
    .map(sequenceOf)
    .filter((sequence) => sequence !== undefined)
    .toSorted((a, b) => a - b);
}
