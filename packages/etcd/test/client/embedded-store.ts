// The embedded server as a store to test against: in a process of its own, so that it can be killed.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort, serving } from "./test-store.ts";
import type { TestStore } from "./test-store.ts";

const MAIN = path.join(import.meta.dirname, "embedded-main.ts");

export class EmbeddedStore implements TestStore {
  readonly port: number;
  readonly access = {};
  readonly #dir: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, dir: string) {
    this.port = port;
    this.#dir = dir;
  }

  static async start(): Promise<EmbeddedStore> {
    const dir = await mkdtemp(path.join(tmpdir(), "keelson-store-"));
    const store = new EmbeddedStore(await freePort(), dir);
    await store.restart();
    return store;
  }

  async restart(): Promise<void> {
    const argv = [MAIN, this.#dir, String(this.port)];
    this.#process = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "inherit"] });
    await serving(this.port);
  }

  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = once(running, "exit");
    running.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
