import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { downloadArchive } from "../../src/host/image-download.ts";

const content = Buffer.alloc(300_000, "archive ");
const archive = { sha256: createHash("sha256").update(content).digest("hex"), bytes: content.byteLength };
const signal = new AbortController().signal;

/** Serves `/sound`, and what must not get through. */
async function holder() {
  const server = createServer((request, response) => {
    if (request.url === "/sound") return response.end(content);
    if (request.url === "/short") return response.end(content.subarray(1));
    if (request.url === "/long") return response.end(Buffer.concat([content, content]));
    if (request.url === "/other") return response.end(Buffer.alloc(content.byteLength));
    if (request.url === "/cut") return response.write(content.subarray(0, 10), () => response.destroy());
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = await mkdtemp(join(tmpdir(), "keelson-download-"));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const end = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  };
  return { url, path: join(folder, "archive"), [Symbol.asyncDispose]: end };
}

describe("downloadArchive", () => {
  test("goes on to the next holder until one gives the archive whole", async () => {
    await using it = await holder();
    const urls = ["absent", "short", "long", "other", "cut", "sound"].map((name) => `${it.url}/${name}`);
    await downloadArchive({ ...archive, urls: ["http://127.0.0.1:1/x", ...urls] }, it.path, signal);
    assert.deepEqual(await readFile(it.path), content);
  });

  test("lets nothing else through, and says what each holder did", async () => {
    await using it = await holder();
    const urls = ["absent", "short", "long", "other", "cut"].map((name) => `${it.url}/${name}`);
    await assert.rejects(downloadArchive({ ...archive, urls }, it.path, signal), (error: Error) => {
      assert.match(error.message, /absent: answered 404/);
      assert.match(error.message, /other: the content has another hash/);
      return true;
    });
    await assert.rejects(readFile(it.path), /ENOENT/);
    await assert.rejects(downloadArchive({ ...archive, urls: [] }, it.path, signal), /no machine holds it/);
  });
});
