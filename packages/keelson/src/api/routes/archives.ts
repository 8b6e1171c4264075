// The bytes of an image archive, for machines that need it: whole, or a part of it to go on with.
// Source: RFC 9110, "Range Requests"; one range at a time.
import type { FileHandle } from "node:fs/promises";
import { KeelError } from "../../base/errors.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";

const chunkBytes = 256 << 10;

export function archiveRoutes(routes: ApiRoutes, context: ApiContext): void {
  routes.get("/v1/archives/:sha256", async (c) => {
    const sha256 = c.req.param("sha256");
    const archive = await context.archives.open(sha256);
    if (!archive) throw new KeelError("KEEL-508", `this machine has no archive ${sha256.slice(0, 80)}`);
    const { file, bytes } = archive;
    const headers = new Headers({
      "content-type": "application/x-tar",
      "accept-ranges": "bytes",
      "cache-control": "public, max-age=31536000, immutable",
      etag: `"${sha256}"`,
    });
    const range = rangeOf(c.req.header("range"), c.req.header("if-range"), sha256, bytes);
    const isHead = c.req.method === "HEAD";
    const isKnown = c.req.header("if-none-match") === `"${sha256}"`;
    if (range === "unsatisfiable" || isHead || isKnown) {
      await file.close();
      if (range === "unsatisfiable")
        return new Response(null, { status: 416, headers: { "content-range": `bytes */${bytes}` } });
      if (!isKnown) headers.set("content-length", String(bytes));
      return new Response(null, { status: isKnown ? 304 : 200, headers });
    }
    const { first, last } = range ?? { first: 0, last: bytes - 1 };
    headers.set("content-length", String(last - first + 1));
    if (range) headers.set("content-range", `bytes ${first}-${last}/${bytes}`);
    return new Response(fileStream(file, first, last), { status: range ? 206 : 200, headers });
  });
}

/** `bytes=A-B`, `A-` or `-N`; undefined for the whole, which is also the answer to what is not understood. */
function rangeOf(
  header: string | undefined,
  ifRange: string | undefined,
  sha256: string,
  bytes: number,
): { readonly first: number; readonly last: number } | "unsatisfiable" | undefined {
  if (header === undefined || (ifRange !== undefined && ifRange !== `"${sha256}"`)) return undefined;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header);
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const from = match[1] === "" ? undefined : Number(match[1]);
  const to = match[2] === "" ? undefined : Number(match[2]);
  if (from === undefined)
    return to === 0 || bytes === 0
      ? "unsatisfiable"
      : { first: Math.max(0, bytes - (to ?? 0)), last: bytes - 1 };
  if (from >= bytes) return "unsatisfiable";
  if (to !== undefined && to < from) return undefined;
  return { first: from, last: Math.min(to ?? bytes - 1, bytes - 1) };
}

/** Reads as fast as the reader takes, and closes the file in any case. */
function fileStream(file: FileHandle, first: number, last: number): ReadableStream<Uint8Array> {
  let position = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const want = Math.min(chunkBytes, last - position + 1);
        if (want <= 0) {
          await file.close();
          return controller.close();
        }
        try {
          const { bytesRead, buffer } = await file.read(new Uint8Array(want), 0, want, position);
          if (bytesRead === 0) throw new Error("the archive was cut short");
          position += bytesRead;
          controller.enqueue(buffer.subarray(0, bytesRead));
        } catch (error) {
          await file.close();
          throw error;
        }
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  );
}
