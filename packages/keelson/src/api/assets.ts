// The dashboard's built files. They are read once into a table by their path: what is not in the table is
// not served, so no path leads out of the folder.
import type { Stats } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { KeelError } from "../base/errors.ts";

interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer> | undefined;
  readonly type: string;
  readonly etag: string;
  /** The name holds a hash of the content: it never changes. */
  readonly immutable: boolean;
}

const maxFiles = 500;
const maxBytes = 16 << 20;
const compress = promisify(gzip);

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
};

/** Nothing but the dashboard's own files, no inline code or style, in nobody's frame. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export class Assets {
  readonly #folder: string;
  #table: Promise<ReadonlyMap<string, Asset>> | undefined;
  #version = "";

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file at a path, `/` being index.html; undefined when there is none. */
  async answer(path: string, request: Request): Promise<Response | undefined> {
    const table = await this.#current();
    const asset = table.get(path === "/" ? "/index.html" : path);
    if (!asset) return undefined;
    const headers = new Headers({
      "content-type": asset.type,
      etag: asset.etag,
      "cache-control": asset.immutable ? "public, max-age=31536000, immutable" : "no-cache",
      vary: "accept-encoding",
      "content-security-policy": contentSecurityPolicy,
      "cross-origin-opener-policy": "same-origin",
      "permissions-policy": "camera=(), geolocation=(), microphone=()",
    });
    if (request.headers.get("if-none-match") === asset.etag)
      return new Response(null, { status: 304, headers });
    const takesGzip = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
    const body = takesGzip && asset.zipped ? asset.zipped : asset.body;
    if (body === asset.zipped) headers.set("content-encoding", "gzip");
    headers.set("content-length", String(body.byteLength));
    return new Response(request.method === "HEAD" ? null : body, { headers });
  }

  /** The table; read anew when index.html was replaced. */
  async #current(): Promise<ReadonlyMap<string, Asset>> {
    const index = await stat(join(this.#folder, "index.html")).catch(() => undefined);
    const version = versionOf(index);
    if (version !== this.#version || !this.#table) {
      this.#version = version;
      this.#table = index ? readFolder(this.#folder) : Promise.resolve(new Map());
      this.#table.catch(() => (this.#table = undefined));
    }
    return this.#table;
  }
}

const versionOf = (index: Stats | undefined): string => (index ? `${index.mtimeMs}:${index.ino}` : "none");

async function readFolder(folder: string): Promise<ReadonlyMap<string, Asset>> {
  const table = new Map<string, Asset>();
  let bytes = 0;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((it) => it.isFile())) {
    const file = join(entry.parentPath, entry.name);
    const content = await readFile(file);
    bytes += content.byteLength;
    if (table.size >= maxFiles || bytes > maxBytes)
      throw new KeelError("KEEL-605", `${folder} is no dashboard: it is too large`);
    table.set(`/${relative(folder, file)}`, await asset(entry.name, content));
  }
  return table;
}

async function asset(name: string, content: Buffer): Promise<Asset> {
  const type = contentTypes[extname(name)] ?? "application/octet-stream";
  const isText = /^(?:text|image\/svg|application\/(?:json|manifest))/.test(type);
  return {
    body: new Uint8Array(content),
    zipped: isText && content.byteLength > 1024 ? new Uint8Array(await compress(content)) : undefined,
    type,
    etag: `"${createHash("sha256").update(content).digest("hex").slice(0, 32)}"`,
    immutable: /-[A-Za-z0-9_-]{8}\.[a-z0-9]+$/.test(name),
  };
}
