// Processes of a test that end with it, however it ends: the kernel kills them when their parent is gone.
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { existsSync } from "node:fs";

const SETPRIV = "/usr/bin/setpriv";

/** Starts a program; where setpriv (util-linux) is not there, as a plain child. */
export function spawnBound(command: readonly string[], options: SpawnOptions): ChildProcess {
  const bound = existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", "--", ...command] : command;
  const [program = "", ...argv] = bound;
  return spawn(program, argv, options);
}
