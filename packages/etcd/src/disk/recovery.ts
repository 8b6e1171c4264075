import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Crc32c } from "./crc32c.ts";
import { damaged } from "./failure.ts";
import type { Frame, LogRecord } from "./frame.ts";
import type { SegmentState } from "./log.ts";
import { clearRemains, readSegment, segmentPath, sequenceOf, type SegmentContent } from "./segment.ts";

/** Takes what a directory holds: the chunks of the snapshot, then the log's records behind it. */
export interface Recovery {
  snapshot(chunk: Buffer): void;
  record(record: LogRecord, index: number): void;
}

/** A torn frame that recovery cut off. */
export interface CutOff {
  readonly path: string;
  readonly offset: number;
}

export interface Replayed {
  /** Oldest first. */
  readonly segments: readonly SegmentState[];
  readonly lastIndex: number;
  readonly cutOff: CutOff | undefined;
}

/**
 * Hands over the records behind a snapshot and cuts a torn end off. Throws STORE_DAMAGED, before anything on disk
 * has changed, when something is missing or not intact that no crash can have torn.
 */
export async function replay(
  directory: string,
  recovery: Recovery,
  { crc, snapshotIndex }: { readonly crc: Crc32c; readonly snapshotIndex: number },
): Promise<Replayed> {
  const segments: SegmentState[] = [];
  let torn: SegmentContent | undefined;
  /** Index that the next frame must have. */
  let next: number | undefined;
  for (const sequence of await listSegments(directory)) {
    const content = await readSegment(segmentPath(directory, sequence), sequence, crc);
    checkPlace(content, { before: segments.at(-1), torn });
    for (const frame of content.frames) {
      checkOrder(content, frame, { next, snapshotIndex });
      frame.records.forEach((record, place) => {
        if (frame.index + place > snapshotIndex) recovery.record(record, frame.index + place);
      });
      next = frame.index + frame.records.length;
    }
    if (content.hasRemains) torn = content;
    const { salt, size, end, frames } = content;
    const lastIndex = frames.length === 0 || next === undefined ? undefined : next - 1;
    segments.push({ sequence, salt, size, end, lastIndex });
  }
  if (torn !== undefined) await clearRemains(torn);
  const cutOff = torn === undefined ? undefined : { path: torn.path, offset: torn.end };
  return { segments, lastIndex: Math.max(snapshotIndex, (next ?? 1) - 1), cutOff };
}

function checkPlace(
  content: SegmentContent,
  { before, torn }: { readonly before: SegmentState | undefined; readonly torn: SegmentContent | undefined },
): void {
  if (before !== undefined && content.sequence !== before.sequence + 1) {
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

/** Sequence numbers of the segments, in order. What a crash left half made is removed. */
async function listSegments(directory: string): Promise<readonly number[]> {
  const sequences: number[] = [];
  for (const name of await readdir(directory)) {
    const sequence = sequenceOf(name);
    if (sequence !== undefined) sequences.push(sequence);
    else if (name.endsWith(".new")) await unlink(join(directory, name));
  }
  return sequences.sort((a, b) => a - b);
}
