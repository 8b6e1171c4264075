import { lstat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { errnoOf } from "../../disk/failure.ts";
import type { ListenOptions } from "../options.ts";

/** Binds a server to its address; rejects with the system's error. A Unix socket that nobody answers is replaced. */
export async function bind(server: Server, at: ListenOptions): Promise<void> {
  try {
    await listen(server, at);
  } catch (error) {
    if (!("path" in at) || errnoOf(error) !== "EADDRINUSE" || !(await isAbandoned(at.path))) throw error;
    await unlink(at.path);
    await listen(server, at);
  }
}

function listen(server: Server, at: ListenOptions): Promise<void> {
  const where = "path" in at ? { path: at.path } : { host: at.host, port: at.port };
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function isAbandoned(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error) => resolve(errnoOf(error) === "ECONNREFUSED"));
  });
}
