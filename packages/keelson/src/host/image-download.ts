// Gets an image archive from whoever holds it, into a file, and lets nothing through that is not it.
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { get } from "node:http";
import { pipeline } from "node:stream/promises";
import { describeError, KeelError } from "../base/errors.ts";
import { removeIfThere } from "./atomic-file.ts";
import type { ImageArchive } from "./host.ts";

/** Without a byte for so long a holder is given up. */
const silenceMs = 10_000;

/** Tries the holders in turn. Rejects with KEEL-107 and what each of them did when none gave a sound archive. */
export async function downloadArchive(
  archive: ImageArchive,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const problems: string[] = [];
  for (const url of archive.urls) {
    try {
      await downloadFrom(url, archive, { path, signal });
      return;
    } catch (error) {
      await removeIfThere(path);
      if (signal.aborted) throw signal.reason;
      problems.push(`${url}: ${describeError(error)}`);
    }
  }
  const tried = problems.length === 0 ? "no machine holds it" : problems.join("; ");
  throw new KeelError(
    "KEEL-107",
    `the image archive ${archive.sha256.slice(0, 12)} could not be had: ${tried}`,
  );
}

async function downloadFrom(
  url: string,
  { bytes, sha256 }: ImageArchive,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<void> {
  const response = await open(url, signal);
  const hash = createHash("sha256");
  let received = 0;
  const check = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      received += chunk.byteLength;
      if (received > bytes) throw new Error(`more than the ${bytes} bytes that were announced`);
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(response, check, createWriteStream(path, { mode: 0o600 }), { signal });
  if (received !== bytes) throw new Error(`${received} bytes instead of ${bytes}`);
  if (hash.digest("hex") !== sha256) throw new Error("the content has another hash");
}

function open(url: string, signal: AbortSignal) {
  return new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
    const request = get(url, { signal, timeout: silenceMs }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.resume();
      reject(new Error(`answered ${response.statusCode}`));
    });
    request.on("timeout", () => request.destroy(new Error(`silent for ${silenceMs / 1000} s`)));
    request.on("error", reject);
  });
}
