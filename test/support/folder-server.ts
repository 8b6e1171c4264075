// The files of a folder over HTTP, for the machines of a cluster: on the host's address in their network.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";

export interface FolderServer extends AsyncDisposable {
  /** Ends with a slash. */
  readonly url: string;
}

export async function serveFolder(folder: string, address: string): Promise<FolderServer> {
  const server = createServer((request, answer) => {
    const path = join(folder, basename(request.url ?? "/"));
    const missing = (): void => void answer.writeHead(404).end();
    stat(path).then((found) => {
      if (!found.isFile()) return missing();
      answer.writeHead(200, { "content-length": found.size });
      const stream = createReadStream(path);
      answer.on("close", () => stream.destroy());
      stream.pipe(answer);
    }, missing);
  });
  await new Promise<void>((listening) => server.listen(0, address, listening));
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
