// A plain web server for a folder of releases, on the host's loopback: machines that may look outward reach it.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface ReleaseServer extends AsyncDisposable {
  /** As the machine reaches it. */
  readonly url: string;
  /** As a process of this host does. */
  readonly localUrl: string;
  /** Bytes of root images that were sent. */
  sent: number;
  /** First bytes that were asked for, of root images. */
  readonly offsets: number[];
  /** Sends zeros in place of this file. */
  spoiled: string | undefined;
}

export async function serveReleases(folder: string): Promise<ReleaseServer> {
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? "/").slice(1));
    const path = join(folder, name);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined || name.includes("/")) return void response.writeHead(404).end();
    const range = from === 0 ? {} : { "content-range": `bytes ${from}-${size - 1}/${size}` };
    response.writeHead(from === 0 ? 200 : 206, { "content-length": size - from, ...range });
    if (name === found.spoiled) return void response.end(Buffer.alloc(size - from));
    const isRoot = name.endsWith(".root.zst");
    if (isRoot) found.offsets.push(from);
    const stream = createReadStream(path, { start: from });
    if (isRoot) stream.on("data", (chunk) => void (found.sent += chunk.length));
    stream.pipe(response);
    response.on("close", () => stream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const found: ReleaseServer = {
    url: `http://10.0.2.2:${port}/`,
    localUrl: `http://127.0.0.1:${port}/`,
    sent: 0,
    offsets: [],
    spoiled: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return found;
}
