import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdDecompress } from "node:zlib";
import { KeelError, describeError } from "../../base/errors.ts";

/** 2^27 bytes: what one stream may keep in memory. */
const windowLog = 27;
const chunkBytes = 1 << 20;
/** What the decoder is given at once: each time costs a turn of the thread pool. */
const gatheredBytes = 256 << 10;

/**
 * What comes out of a zstd stream, and never more than `size` bytes of it. A chunk is valid until the next one is asked
 * for. Throws KEEL-807 for anything else.
 */
export async function* unpackZstd(
  packed: AsyncIterable<Uint8Array>,
  { name, size }: { readonly name: string; readonly size: number },
): AsyncIterable<Uint8Array> {
  const params = { [constants.ZSTD_d_windowLogMax]: windowLog };
  const decoder = createZstdDecompress({ chunkSize: chunkBytes, params });
  let failure: unknown;
  const feeding = pipeline(
    Readable.from(gathered(packed), { objectMode: true, highWaterMark: 2 }),
    decoder,
  ).catch((error: unknown) => void (failure = error));
  let bytes = 0;
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > size)
        throw new KeelError("KEEL-807", `${name} unpacks to more than the ${size} bytes that were signed`);
      yield chunk;
      release(chunk);
    }
    await feeding;
    if (failure !== undefined) throw failure;
  } catch (error) {
    throw zstdError(error, name);
  } finally {
    decoder.destroy();
    await feeding;
  }
  if (bytes < size) throw new KeelError("KEEL-807", `${name} unpacks to ${bytes} bytes, ${size} were signed`);
}

/**
 * Gives the memory of a chunk back at once. Left to the garbage collector, a large image makes it run dozens of times.
 * The decoder fills one buffer to its end before it takes another, so the last part of one was its last use.
 */
function release({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteOffset + byteLength === buffer.byteLength) buffer.transfer(0);
}

async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < gatheredBytes) continue;
    yield Buffer.concat(parts, bytes);
    parts = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(parts, bytes);
}

function zstdError(error: unknown, name: string): unknown {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (!/^(ZSTD_|Z_)/.test(code)) return error;
  return new KeelError(
    "KEEL-807",
    `${name} is no zstd stream that can be unpacked: ${describeError(error)}`,
    {
      cause: error,
    },
  );
}
