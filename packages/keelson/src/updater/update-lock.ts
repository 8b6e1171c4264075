// One change of the system at a time. The lock is the kernel's and goes with its holder, however that ends.
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { KeelError } from "../base/errors.ts";

/** In memory, as what it guards is one boot's: nothing of it is left after a power cut. */
export const lockPath = "/run/keelson/boot/lock";

const conflict = 75;

/** Throws KEEL-803 when somebody else holds the lock for longer than that. */
export async function takeUpdateLock(path: string = lockPath, waitSeconds = 0): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const argv = ["--timeout", String(waitSeconds), "--conflict-exit-code", String(conflict), path];
  // The holder's input ends with this process, however that ends, and the holder with its input.
  const holder = spawn("flock", [...argv, "sh", "-c", "echo locked; read -r _; exit 0"], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => holder.once("close", () => resolve()));
  const outcome = await new Promise<number | "locked" | Error>((resolve) => {
    holder.stdout.once("data", () => resolve("locked"));
    holder.once("error", resolve);
    holder.once("close", (status) => resolve(status ?? 1));
  });
  if (outcome === conflict)
    throw new KeelError("KEEL-803", "another command changes this machine’s system just now");
  if (outcome !== "locked")
    throw new KeelError("KEEL-810", `the lock ${path} cannot be taken`, { cause: outcome });
  holder.stdin.on("error", () => {});
  return {
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await ended;
    },
  };
}
