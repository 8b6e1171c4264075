import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";

/** Only one run at a time. The file names the process, so that one that died is not waited for. Rejects with KEEL-845. */
export async function withLock<Result>(
  folder: string,
  { clock, patienceMs }: { readonly clock: Clock; readonly patienceMs: number },
  body: () => Promise<Result>,
): Promise<Result> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "lock");
  for (const end = clock.now() + patienceMs; ; await clock.sleep(200)) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const pid = Number(await readFile(path, "utf8").catch(() => "0"));
      if (pid > 0 && !isAlive(pid)) await rm(path, { force: true });
      else if (clock.now() >= end) throw new KeelError("KEEL-845", `another run is at work: process ${pid}`);
    }
  }
  try {
    return await body();
  } finally {
    await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
