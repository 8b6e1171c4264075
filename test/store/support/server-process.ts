import { execFileSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { crash, spawnBound } from "../../../packages/etcd/test/bound-process.ts";
import { freePort } from "../../../packages/etcd/test/free-port.ts";

const MAIN = join(import.meta.dirname, "server-main.ts");

/** The embedded server in a process of its own, at the same port through restarts. */
export class ServerProcess implements AsyncDisposable {
  readonly address: string;
  /** What it logged, for a failing test to show. */
  log = "";
  readonly #argv: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, argv: readonly string[]) {
    this.address = `127.0.0.1:${port}`;
    this.#argv = argv;
  }

  static async start(dataDir: string, snapshotCount = 100_000): Promise<ServerProcess> {
    const port = await freePort();
    const server = new ServerProcess(port, [
      process.execPath,
      MAIN,
      dataDir,
      String(port),
      String(snapshotCount),
    ]);
    await server.restart();
    return server;
  }

  /** Resolves when it serves; throws if it exits instead. */
  async restart(): Promise<void> {
    const started = spawnBound(this.#argv, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = started;
    started.stderr?.on("data", (text: Buffer) => (this.log += text.toString()));
    const exited = once(started, "exit").then(([code]) => {
      throw new Error(`the server ended with ${String(code)}\n${this.log}`);
    });
    await Promise.race([once(started.stdout!, "data"), exited]);
    exited.catch(() => undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Lets the kernel refuse what it writes beyond a place in a file; undefined lets it write again. */
  limitFileSize(bytes: number | undefined): void {
    const limit = bytes === undefined ? "unlimited" : String(bytes);
    execFileSync("prlimit", ["--pid", String(this.#process?.pid), `--fsize=${limit}:`]);
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    await crash(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
