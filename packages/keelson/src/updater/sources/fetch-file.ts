// One file of a release, from its first byte to its last, however often the source breaks off.
import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { KeelError, describeError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { checkFile } from "../../releases/file-check.ts";
import type { PartialFiles } from "./partial-file.ts";
import type { ReleaseSource } from "./release-source.ts";

export interface FetchOptions {
  readonly source: ReleaseSource;
  /** Where what arrives is kept; left out for sources that cost nothing. */
  readonly partials?: PartialFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Bytes so far, and those of them that came over the network now. */
  readonly progress?: (bytes: number, fetched: number) => void;
  readonly note?: (text: string) => void;
  /** A part of the file was kept from before. */
  readonly resumed?: () => void;
}

export interface SignedFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** Tries in a row that bring nothing new. */
const mostIdleTries = 7;

/**
 * Yields the file's bytes in order, and ends normally only when they are those that were signed. Throws KEEL-806 when
 * the source gives up, KEEL-807 for other bytes: those were yielded, so what was done with them must not count.
 */
export async function* fetchFile(file: SignedFile, options: FetchOptions): AsyncIterable<Uint8Array> {
  const { signal, clock, random, source, progress } = options;
  const check = checkFile(file);
  await using partial = await options.partials?.open(file);
  const had = partial?.bytes ?? 0;
  try {
    if (partial !== undefined && had > 0) {
      options.resumed?.();
      options.note?.(`${file.name}: ${had} of ${file.size} bytes are there already`);
      for await (const chunk of partial.read()) {
        check.add(chunk);
        progress?.(check.received, 0);
        yield chunk;
      }
    }
    const backoff = new Backoff({ firstMs: 500, maxMs: 20_000 }, random);
    while (check.received < file.size) {
      signal.throwIfAborted();
      const before = check.received;
      try {
        for await (const chunk of bytesFrom(file, before, options)) {
          check.add(chunk);
          await partial?.append(chunk);
          progress?.(check.received, check.received - had);
          yield chunk;
        }
        if (check.received < file.size)
          throw new KeelError("KEEL-806", `${file.name} ended after ${check.received} of ${file.size} bytes`);
      } catch (error) {
        if (signal.aborted || isPermanent(error)) throw error;
        if (check.received > before) backoff.reset();
        if (backoff.attempts >= mostIdleTries) throw gaveUp(error, source);
        options.note?.(`${describeError(error)}; trying again`);
        await clock.sleep(backoff.next(), signal);
      }
    }
    check.finish();
  } catch (error) {
    if (isWrongContent(error)) await partial?.discard();
    throw wrongContent(error, source);
  }
}

/** The rest of a file, from an offset on. */
async function* bytesFrom(
  file: SignedFile,
  offset: number,
  { source, signal }: FetchOptions,
): AsyncIterable<Uint8Array> {
  const opened = await source.open(file.name, offset, signal);
  if (opened.size !== undefined && opened.size !== file.size)
    throw new KeelError(
      "KEEL-807",
      `${file.name} in ${source.place} has ${opened.size} bytes, the manifest says ${file.size}`,
      { details: { permanent: true } },
    );
  // A server that cannot begin in the middle sends what is there already once more.
  let skip = offset - opened.offset;
  for await (const chunk of opened.chunks) {
    const rest = chunk.subarray(Math.min(skip, chunk.byteLength));
    skip -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

function isPermanent(error: unknown): boolean {
  if (!(error instanceof KeelError)) return true;
  return error.code !== "KEEL-806" || error.details?.["permanent"] === true;
}

function isWrongContent(error: unknown): boolean {
  return error instanceof KeelError && ["KEEL-828", "KEEL-836", "KEEL-807"].includes(error.code);
}

function wrongContent(error: unknown, { place }: ReleaseSource): unknown {
  if (!(error instanceof KeelError) || !["KEEL-828", "KEEL-836"].includes(error.code)) return error;
  return new KeelError("KEEL-807", `${error.message} (from ${place})`, { cause: error });
}

function gaveUp(error: unknown, { isLocal }: ReleaseSource): unknown {
  const hint = isLocal ? {} : { hint: "what has arrived is kept: the same command goes on from there" };
  return new KeelError("KEEL-806", describeError(error), { cause: error, ...hint });
}
