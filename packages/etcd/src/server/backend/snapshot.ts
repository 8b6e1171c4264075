// The database file as it is streamed to a client: in pieces, then the SHA-256 of them all.

import { createHash } from "node:crypto";
import { setImmediate as pause } from "node:timers/promises";
import { BoltPlan, type BoltBucket } from "../../bolt/writer.ts";

/** As etcd cuts it. */
const PIECE_BYTES = 32 * 1024;
/** Pieces between two pauses. */
const STEP = 16;

export interface SnapshotPiece {
  /** Bytes of the file that follow; the digest does not count. */
  readonly remaining: number;
  readonly blob: Buffer;
}

/** The file of some buckets. Others have their turn while it is made. */
export async function* snapshotPieces(
  buckets: readonly BoltBucket[],
): AsyncGenerator<SnapshotPiece, void, void> {
  const plan = await planned(buckets);
  const digest = createHash("sha256");
  let remaining = plan.bytes;
  let count = 0;
  for (const blob of pieces(plan.pages())) {
    remaining -= blob.length;
    digest.update(blob);
    yield { remaining, blob };
    if (++count % STEP === 0) await pause();
  }
  yield { remaining: 0, blob: digest.digest() };
}

async function planned(buckets: readonly BoltBucket[]): Promise<BoltPlan> {
  const planning = BoltPlan.make(buckets);
  for (;;) {
    const step = planning.next();
    if (step.done === true) return step.value;
    await pause();
  }
}

/** The same bytes in pieces of one length. */
function* pieces(pages: Iterable<Buffer>): Generator<Buffer, void, void> {
  let held: Buffer[] = [];
  let bytes = 0;
  for (const page of pages) {
    held.push(page);
    bytes += page.length;
    if (bytes < PIECE_BYTES) continue;
    let whole = Buffer.concat(held);
    for (; whole.length >= PIECE_BYTES; whole = whole.subarray(PIECE_BYTES))
      yield whole.subarray(0, PIECE_BYTES);
    held = whole.length > 0 ? [whole] : [];
    bytes = whole.length;
  }
  if (bytes > 0) yield Buffer.concat(held);
}
