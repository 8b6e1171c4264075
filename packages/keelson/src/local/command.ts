// Runs the system's own tools: ip, nft, mount, mmdebstrap. argv only, never a shell line made of data.
import { spawn } from "node:child_process";

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
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      detached: options.group ?? false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
    });
    const outputs = { stdout: "", stderr: "" };
    const kill = (): void => {
      if (options.group && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      else child.kill("SIGKILL");
    };
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(kill, options.timeoutMs);
    options.signal?.addEventListener("abort", kill, { once: true });
    const finish = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", kill);
    };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      let rest = "";
      child[name].on("data", (text: string) => {
        outputs[name] = (outputs[name] + text).slice(-4_000_000);
        if (options.onLine === undefined) return;
        const lines = (rest + text).split(/[\r\n]+/);
        rest = lines.pop() ?? "";
        for (const line of lines) options.onLine(line);
      });
    }
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    child.on("error", (error) => {
      finish();
      reject(error);
    });
    child.on("close", (code, signal) => {
      finish();
      if (options.signal?.aborted) return reject(options.signal.reason as Error);
      resolve({ code: code ?? (signal === "SIGKILL" ? 137 : 143), ...outputs });
    });
  });
}

/** Runs a tool to its end and returns what it wrote to stdout. Throws a CommandError when it fails. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryCommand(argv, options);
  if (result.code !== 0) throw new CommandError(argv, result);
  return result.stdout;
}
