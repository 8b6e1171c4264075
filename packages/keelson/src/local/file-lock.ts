// Locks that the kernel frees when their holder dies, held by a flock(1) that lives as long as its input.
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { KeelError } from "../base/errors.ts";

export interface FileLock extends AsyncDisposable {
  /** Frees the lock; `remove` deletes its file as well, which waiting others survive. */
  release(options?: { readonly remove?: boolean }): Promise<void>;
}

// The file, and its folder, may be removed by the holder before us: open again until the locked file is the
// named one. `command` keeps a failed exec from ending the shell.
const script = `
tries=0
while :; do
	if ! mkdir -p "$(dirname "$1")" || ! command exec 9>>"$1"; then
		tries=$((tries + 1))
		[ $tries -lt 100 ] || exit 3
		sleep 0.01
		continue
	fi
	flock -w "$2" 9 || exit 4
	[ "$1" -ef /proc/self/fd/9 ] && break
done
echo locked
read -r _
exit 0
`;

/**
 * Takes the lock at `path`, waiting at most `waitSeconds`. The file's folder is made.
 * Throws KEEL-305 when somebody else holds it longer.
 */
export async function takeLock(path: string, waitSeconds = 120): Promise<FileLock> {
  const holder = spawn("sh", ["-c", script, "keelson-lock", path, String(waitSeconds)], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => holder.once("exit", () => resolve()));
  const code = await new Promise<number | "locked">((resolve, reject) => {
    holder.stdout.once("data", () => resolve("locked"));
    holder.once("exit", (status) => resolve(status ?? 1));
    holder.once("error", reject);
  });
  if (code === 3) throw new KeelError("KEEL-301", `${path} cannot be made`, { hint: "run it as root" });
  if (code !== "locked") {
    throw new KeelError("KEEL-305", `another command holds ${path}`, {
      hint: "wait until it has finished, then run this one again",
    });
  }
  holder.stdin.on("error", () => {});
  holder.unref();
  let released: Promise<void> | undefined;
  const release = (options: { readonly remove?: boolean } = {}): Promise<void> => {
    released ??= (async () => {
      if (options.remove) await rm(path, { force: true });
      holder.ref();
      holder.stdin.end();
      await ended;
    })();
    return released;
  };
  return { release, [Symbol.asyncDispose]: () => release() };
}
