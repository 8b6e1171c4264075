// Processes of a test that end with it, however it ends: the kernel kills them when their parent is gone.
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";

const SETPRIV = "/usr/bin/setpriv";

/** Starts a program; where setpriv (util-linux) is not there, as a plain child. */
export function spawnBound(command: readonly string[], options: SpawnOptions): ChildProcess {
  const bound = existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", "--", ...command] : command;
  const [program = "", ...argv] = bound;
  return spawn(program, argv, options);
}

/** Ends a process as a crash does; resolves when it is gone. */
export async function crash(running: ChildProcess | undefined): Promise<void> {
  if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
  const gone = once(running, "exit");
  running.kill("SIGKILL");
  await gone;
}
