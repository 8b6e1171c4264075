// The openssl program: certificates are made by it, since Node reads them but makes none. Keys go in as files
// and never as arguments.
// Source: openssl-ca(1), openssl-req(1).
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";

const withinMs = 20_000;
const maxOutputBytes = 1 << 16;

/** Runs openssl in a folder and returns what it prints. Throws KEEL-411 with its words. */
export function openssl(folder: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("openssl", [...args], {
      cwd: folder,
      // Its own settings file may load engines or policies that are not ours.
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", OPENSSL_CONF: "/dev/null", LC_ALL: "C" },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: withinMs,
      killSignal: "SIGKILL",
    });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        output[stream] = (output[stream] + chunk).slice(0, maxOutputBytes);
      });
    }
    const fail = (words: string, cause?: unknown): void =>
      reject(
        new KeelError("KEEL-411", `openssl ${args[0] ?? ""}: ${words}`, cause === undefined ? {} : { cause }),
      );
    child.on("error", (error) => fail(error.message, error));
    child.on("close", (status, killedBy) => {
      if (status === 0) resolve(output.stdout);
      else fail(killedBy ?? lastLines(output.stderr));
    });
    // It may end without having read its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** Runs with a folder that nobody else can read, and takes it away afterwards. */
export async function withScratch<T>(parent: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(parent, "scratch-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const lastLines = (text: string): string => text.trim().split("\n").slice(-3).join("; ").slice(0, 500);
