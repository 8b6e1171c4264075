import { setImmediate as pause } from "node:timers/promises";
import type { BoltBucket } from "../../bolt/writer.ts";
import type { Crc32c } from "../../disk/crc32c.ts";
import { META } from "./buckets.ts";

/** Entries between two pauses. */
const STEP = 5000;
/** What differs between members that hold the same. */
const IGNORED: ReadonlySet<string> = new Set([META.consistentIndex, META.term]);

/** Hash: a checksum over the whole database, made as etcd makes it. */
export async function databaseHash(buckets: readonly BoltBucket[], crc: Crc32c): Promise<number> {
  let sum = 0;
  const add = (text: string): void => {
    sum = crc.of(Buffer.from(text, "latin1"), 0, text.length, sum);
  };
  let count = 0;
  for (const bucket of [...buckets].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    add(bucket.name);
    for (const { key, value } of bucket.entries()) {
      if (bucket.name !== "meta" || !IGNORED.has(key)) add(key + value);
      if (++count % STEP === 0) await pause();
    }
  }
  return sum;
}
