import { createServer } from "node:net";
import { KeelError } from "../../base/errors.ts";

/** The first TCP port from `first` on that nobody listens on at the address. Throws KEEL-301 after 200. */
export async function firstFreePort(address: string, first: number): Promise<number> {
  for (let port = first; port < first + 200; port++) if (await isFree(address, port)) return port;
  throw new KeelError("KEEL-301", `no port from ${first} to ${first + 199} is free at ${address}`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
