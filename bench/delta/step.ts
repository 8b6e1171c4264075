// Makes or applies one delta and prints what it took: `step.ts make OLD NEW DELTA`, `step.ts apply OLD OUT DELTA`.
import { createReadStream, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { applyDelta } from "../../packages/keelson/src/releases/apply-delta.ts";
import type { ImageReader } from "../../packages/keelson/src/releases/apply-delta.ts";
import { DeltaReader } from "../../packages/keelson/src/releases/delta-format.ts";
import { makeDelta } from "../../packages/keelson/src/releases/make-delta.ts";

const [name = "", base = "", image = "", delta = ""] = process.argv.slice(2);

/** Reads into one buffer, which is valid until the next read, as a slot's reader does. */
async function readerOf(path: string): Promise<ImageReader & AsyncDisposable> {
  const handle = await open(path);
  let buffer = Buffer.alloc(1 << 20);
  return {
    size: (await handle.stat()).size,
    async read(offset, length) {
      if (buffer.byteLength < length) buffer = Buffer.alloc(length);
      await handle.read(buffer, 0, length, offset);
      return buffer.subarray(0, length);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

let most = 0;
const watch = setInterval(() => {
  const kilobytes = /RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  most = Math.max(most, Number(kilobytes ?? 0) * 1024);
}, 5);
const begin = performance.now();
await using reader = await readerOf(base);
await using out = await open(name === "make" ? delta : image, "w");
const write = async (chunk: Uint8Array): Promise<void> => void (await out.write(chunk));
if (name === "make") {
  await using result = await readerOf(image);
  await makeDelta({ base: reader, result, write });
} else {
  await using stated = new DeltaReader(createReadStream(delta));
  await applyDelta({ base: reader, delta: createReadStream(delta), expected: await stated.head(), write });
}
clearInterval(watch);
console.log(JSON.stringify({ seconds: (performance.now() - begin) / 1000, anonymousBytes: most }));
