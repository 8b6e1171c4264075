// The Unix socket's file: a stale one of a dead daemon is replaced, one that answers is left alone.
import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { KeelError } from "../base/errors.ts";

/** Listens on a Unix socket that only its owner may open. KEEL-106 when another process answers there. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const state = await probe(path);
  if (state === "live") throw new KeelError("KEEL-106", `another daemon answers at ${path}`);
  if (state === "foreign") throw new KeelError("KEEL-106", `${path} is there and is no socket`);
  if (state === "stale") await rm(path, { force: true });
  // The file is born with the mode that the umask leaves: no moment at which others could open it.
  const before = process.umask(0o177);
  try {
    server.listen({ path });
  } finally {
    process.umask(before);
  }
  await listening(server);
  await chmod(path, 0o600);
}

/** Resolves when the server listens, rejects when it cannot. */
export function listening(server: Server): Promise<void> {
  if (server.listening) return Promise.resolve();
  return new Promise((resolve, reject) => {
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    server.once("error", reject);
  });
}

async function probe(path: string): Promise<"absent" | "stale" | "live" | "foreign"> {
  const entry = await lstat(path).catch(() => undefined);
  if (!entry) return "absent";
  if (!entry.isSocket()) return "foreign";
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.setTimeout(1000);
    const end = (state: "stale" | "live"): void => {
      socket.destroy();
      resolve(state);
    };
    socket.once("connect", () => end("live"));
    socket.once("timeout", () => end("live"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code === "EAGAIN" ? "live" : "stale"));
  });
}
