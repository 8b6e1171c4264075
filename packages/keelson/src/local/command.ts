// Runs the system's own tools: ip, nft, mount, mmdebstrap. argv only, never a shell line made of data.
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type { Readable } from "node:stream";

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Called for each line of both outputs as it comes. */
  readonly onLine?: (line: string) => void;
  /** Kill the whole process group when the signal fires: for tools that start others. */
  readonly group?: boolean;
}

export interface CommandResult {
  /** The exit code, or 128 + the signal's number as shells count. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A tool that failed: its argv, exit code and last words. */
export class CommandError extends Error {
  readonly argv: readonly string[];
  readonly result: CommandResult;

  constructor(argv: readonly string[], result: CommandResult) {
    const words = result.stderr.trim() || result.stdout.trim() || `exit code ${result.code}`;
    super(`${argv[0]}: ${words.split("\n").slice(-6).join("\n")}`);
    this.name = "CommandError";
    this.argv = argv;
    this.result = result;
  }
}

/** Runs a tool to its end and returns its outputs, whatever its exit code. */
export function tryCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [command, ...args] = argv;
  if (command === undefined) throw new TypeError("a command needs a name");
  options.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      detached: options.group ?? false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
    });
    const stdout = collect(child.stdout, options.onLine);
    const stderr = collect(child.stderr, options.onLine);
    const stop = (): void => killChild(child, options.group ?? false);
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(stop, options.timeoutMs);
    options.signal?.addEventListener("abort", stop, { once: true });
    const finish = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", stop);
    };
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    child.on("error", (error) => {
      finish();
      reject(error);
    });
    child.on("close", (code, signal) => {
      finish();
      if (options.signal?.aborted) return reject(options.signal.reason as Error);
      resolve({ code: code ?? (signal === "SIGKILL" ? 137 : 143), stdout: stdout(), stderr: stderr() });
    });
  });
}

const mostOutput = 4_000_000;

/** Gathers a stream's text, at most its last four million characters, and hands on its lines. */
function collect(stream: Readable, onLine?: (line: string) => void): () => string {
  let all = "";
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    all = (all + text).slice(-mostOutput);
    if (onLine === undefined) return;
    const lines = (rest + text).split(/[\r\n]+/);
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  return () => all;
}

/** Kills it, and no longer waits for whoever else holds its outputs: a service that it started, for one. */
function killChild(child: ChildProcessWithoutNullStreams, group: boolean): void {
  try {
    if (group && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
  child.stdout.destroy();
  child.stderr.destroy();
}

/** Runs a tool to its end and returns what it wrote to stdout. Throws a CommandError when it fails. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.code !== 0) throw new CommandError(argv, result);
  return result.stdout;
}
