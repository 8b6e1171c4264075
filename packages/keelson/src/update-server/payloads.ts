// `/v1/payloads/SHA256/NAME`: the files of packages, from a folder in which each is called by its SHA-256. The name
// is what the client calls it and decides nothing. A file never changes, so that its hash is its ETag and a download
// that was interrupted goes on where it stopped.
import { constants, createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Log } from "../base/log.ts";
import { byteRangeOf } from "./byte-range.ts";
import { refuseWith } from "./update-requests.ts";
import type { Route } from "./update-endpoint.ts";

export interface PayloadsOptions {
  /** Holds the files. Whatever else lies in it cannot be reached. */
  readonly folder: string;
  readonly log: Log;
  /** Downloads at a time; others are told to come back. */
  readonly downloads?: number;
  /** Milliseconds after which a client that takes nothing loses its place. */
  readonly idleMs?: number;
}

const DOWNLOADS = 256;
const IDLE_MS = 60_000;
const RETRY_SECONDS = 30;
/** Bytes that are read ahead for one client. */
const AHEAD_BYTES = 256 << 10;

export class Payloads implements Route {
  readonly prefix = "/v1/payloads/";
  readonly #options: PayloadsOptions;
  #downloads = 0;

  constructor(options: PayloadsOptions) {
    this.#options = options;
  }

  /** Downloads under way. */
  get downloads(): number {
    return this.#downloads;
  }

  handle(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { log, downloads = DOWNLOADS } = this.#options;
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return refuseWith(response, 405, "Payloads are fetched with GET.\n");
    }
    const [, hash] = /^([0-9a-f]{64})(?:\/[A-Za-z0-9][A-Za-z0-9._+~-]{0,254})?$/.exec(path) ?? [];
    if (hash === undefined) return refuseWith(response, 404, "A payload is called by its SHA-256.\n");
    if (this.#downloads >= downloads) {
      response.setHeader("Retry-After", RETRY_SECONDS);
      return refuseWith(response, 503, "As many payloads are on their way as may be. Ask again later.\n");
    }
    this.#downloads++;
    this.#send(request, response, hash)
      .catch((error: unknown) => {
        // A client may go whenever it likes.
        if (!response.destroyed) log.warn("a payload could not be sent", { payload: hash, error });
        if (response.headersSent) response.destroy();
        else refuseWith(response, 500, "The payload cannot be read.\n");
      })
      .finally(() => this.#downloads--);
  }

  async #send(request: IncomingMessage, response: ServerResponse, hash: string): Promise<void> {
    const { folder, idleMs = IDLE_MS } = this.#options;
    await using file = await openPayload(join(folder, hash));
    const stat = await file?.stat();
    if (file === undefined || !stat?.isFile())
      return refuseWith(response, 404, "There is no such payload.\n");
    const etag = `"${hash}"`;
    const { range, "if-none-match": known, "if-range": unchanged } = request.headers;
    const headers: OutgoingHttpHeaders = {
      ETag: etag,
      "Accept-Ranges": "bytes",
      "Content-Type": "application/octet-stream",
      "X-Content-Type-Options": "nosniff",
      // Nothing that proxies on the way could keep is ever out of date.
      "Cache-Control": "public, max-age=31536000, immutable",
    };
    if (
      known !== undefined &&
      (known === "*" || known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag))
    )
      return void response.writeHead(304, headers).end();
    const isRanged = request.method === "GET" && (unchanged === undefined || unchanged === etag);
    const part = byteRangeOf(isRanged ? range : undefined, stat.size);
    if (part === "unsatisfiable")
      return void response
        .writeHead(416, { ...headers, "Content-Range": `bytes */${stat.size}`, "Content-Length": 0 })
        .end();
    const { first, last } = part === "whole" ? { first: 0, last: stat.size - 1 } : part;
    headers["Content-Length"] = last - first + 1;
    if (part !== "whole") headers["Content-Range"] = `bytes ${first}-${last}/${stat.size}`;
    response.writeHead(part === "whole" ? 200 : 206, headers);
    if (request.method === "HEAD" || stat.size === 0) return void response.end();
    response.setTimeout(idleMs, () => response.destroy());
    // What the client does not take is not read: the pipeline waits for it.
    await pipeline(
      createReadStream("", {
        fd: file.fd,
        autoClose: false,
        start: first,
        end: last,
        highWaterMark: AHEAD_BYTES,
      }),
      response,
    );
  }
}

/** Undefined if there is no such file. Links are not followed: they could lead out of the folder. */
async function openPayload(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ENOENT" || code === "ELOOP") return undefined;
    throw error;
  }
}
