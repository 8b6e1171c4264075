// A store that runs as a process of its own, as people and test harnesses start it.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { spawnBound } from "../../../packages/etcd/test/bound-process.ts";

/** Ends when it is disposed of, if it was not stopped before. */
export interface SpawnedStore extends AsyncDisposable {
  /** "host:port" of the first client URL. */
  readonly address: string;
  /** Lines of its log so far, parsed. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Ends it with SIGTERM. Resolves with its exit code, or the signal that killed it. */
  stop(): Promise<number | string>;
}

export interface SpawnOptions {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts a command and waits, as etcd's own harness does, for its line of readiness. Throws if it ends before. */
export async function spawnStore(command: readonly string[], options: SpawnOptions): Promise<SpawnedStore> {
  const child = spawnBound(command, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  const log: Readonly<Record<string, unknown>>[] = [];
  const address = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${JSON.stringify(log)}`)));
    child.once("error", reject);
    createInterface({ input: child.stderr! }).on("line", (text) => {
      // Node itself may say something too.
      if (!text.startsWith("{")) return;
      const line = JSON.parse(text) as Readonly<Record<string, unknown>>;
      log.push(line);
      if (String(line["msg"]).startsWith("serving client traffic")) resolve(String(line["address"]));
    });
  });
  return {
    address,
    log,
    async stop() {
      child.kill("SIGTERM");
      const [code, signal] = (await exited) as [number | null, string | null];
      return code ?? signal ?? "";
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
