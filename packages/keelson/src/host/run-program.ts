import { spawn } from "node:child_process";

export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const maxOutputBytes = 16 << 20;

/**
 * Runs a program to its end; what it writes is kept up to 16 MiB. Rejects when it cannot be started, when the
 * signal aborts (it is then killed) or when the time is over.
 */
export function runProgram(
  argv: readonly [string, ...string[]],
  options: {
    readonly signal?: AbortSignal;
    readonly timeoutMs?: number;
    readonly env?: NodeJS.ProcessEnv;
  } = {},
): Promise<ProgramResult> {
  const [command, ...args] = argv;
  const { signal, timeoutMs = 60_000, env } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      ...(signal === undefined ? {} : { signal }),
      ...(env === undefined ? {} : { env }),
    });
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    for (const stream of ["stdout", "stderr"] as const) {
      let bytes = 0;
      child[stream].on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes <= maxOutputBytes) output[stream].push(chunk);
      });
    }
    child.on("error", reject);
    child.on("close", (status, killedBy) => {
      if (killedBy !== null) return reject(new Error(`${command} was ended by ${killedBy}`));
      const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString();
      resolve({ status: status ?? 255, stdout: text(output.stdout), stderr: text(output.stderr) });
    });
  });
}
