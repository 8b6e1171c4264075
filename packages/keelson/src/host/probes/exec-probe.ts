// A command as a check: a shell on the machine, or in a container by podman. What it started is gone when its time
// is over, on whatever side of a container it runs: each run carries a mark in its environment.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { ProbeAnswer } from "../host.ts";
import { timeWords } from "./network-words.ts";

const maxOutputBytes = 4096;
/** For output that is still on its way when the command has ended. */
const lateOutputMs = 100;
const markName = "KEELSON_CHECK";
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface ExecLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The command line for a shell command; with a container's id it runs there. */
export function execArgv(
  command: string,
  container: string | undefined,
  mark: string,
): [string, ...string[]] {
  const shell = ["/bin/sh", "-c", command] as const;
  if (container === undefined) return [...shell];
  return ["podman", "exec", "--env", `${markName}=${mark}`, container, ...shell];
}

/** Exit status 0 within the time is well. Rejects only with the signal's reason. */
export async function probeExec(
  command: string,
  container: string | undefined,
  { timeoutMs, signal }: ExecLimits,
): Promise<ProbeAnswer> {
  const mark = randomBytes(12).toString("hex");
  const limit = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, limit]);
  const what = shown(command);
  try {
    const { status, killedBy, output } = await runOnce(execArgv(command, container, mark), mark, either);
    if (status === 0) return { ok: true };
    const line = lastLine(output);
    const how = status === null ? `ended by ${killedBy ?? "a signal"}` : `exit status ${status}`;
    return { ok: false, reason: `${what}: ${how}${line === "" ? "" : `: ${line}`}` };
  } catch (error) {
    if (either.aborted) await killMarked(mark);
    signal.throwIfAborted();
    if (limit.aborted) return { ok: false, reason: `${what}: not done within ${timeWords(timeoutMs)}` };
    return {
      ok: false,
      reason: `${what}: ${error instanceof Error ? error.message : "it could not be run"}`,
    };
  }
}

interface Ended {
  readonly status: number | null;
  readonly killedBy: string | null;
  readonly output: string;
}

function runOnce(argv: readonly [string, ...string[]], mark: string, signal: AbortSignal): Promise<Ended> {
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const child = spawn(program, args, {
      cwd: "/",
      // A session of its own: its whole group can be ended.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: searchPath, HOME: "/root", LANG: "C.UTF-8", [markName]: mark },
    });
    let output = "";
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString("latin1")).slice(-maxOutputBytes);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const close = (): void => {
      signal.removeEventListener("abort", onAbort);
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const onAbort = (): void => {
      close();
      if (child.pid !== undefined) killGroup(child.pid);
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    child.on("error", (error) => {
      close();
      reject(error);
    });
    // The end of the command counts, not that of what it may have left running with its output open.
    child.on("exit", (status, killedBy) => {
      const settle = (): void => {
        clearTimeout(timer);
        close();
        // A check that leaves something behind would leave more with each look.
        if (child.pid !== undefined) killGroup(child.pid);
        resolve({ status, killedBy, output: Buffer.from(output, "latin1").toString() });
      };
      const timer = setTimeout(settle, lateOutputMs);
      child.on("close", settle);
    });
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

/** Ends what carries the mark: in a container podman leaves it running when podman itself is ended. */
async function killMarked(mark: string): Promise<void> {
  const wanted = `${markName}=${mark}`;
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
    if (!environment.split("\0").includes(wanted)) continue;
    try {
      process.kill(Number(entry), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

const shown = (command: string): string => (command.length <= 60 ? command : `${command.slice(0, 57)}...`);

const lastLine = (output: string): string =>
  (output.trim().split("\n").at(-1) ?? "")
    .replaceAll(/\p{Cc}/gu, " ")
    .trim()
    .slice(0, 200);
