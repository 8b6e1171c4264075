// The discovery service as people run it, and real members of etcd that come to it.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnBound } from "../../../packages/etcd/test/bound-process.ts";
import { freePort } from "../../../packages/etcd/test/free-port.ts";

const MAIN = join(import.meta.dirname, "../../../packages/keelson/src/cli/main.ts");

/** `keel discovery serve` in a process of its own. */
export class DiscoveryProcess implements AsyncDisposable {
  readonly url: string;
  /** What it said, for a failing test to show. */
  log = "";
  readonly #dataDir: string;
  #process: ChildProcess | undefined;

  readonly #flags: readonly string[];

  private constructor(port: number, dataDir: string, flags: readonly string[]) {
    this.url = `http://127.0.0.1:${port}`;
    this.#dataDir = dataDir;
    this.#flags = flags;
  }

  static async start(...flags: readonly string[]): Promise<DiscoveryProcess> {
    const dataDir = await mkdtemp(join(tmpdir(), "keelson-discovery-"));
    const service = new DiscoveryProcess(await freePort(), dataDir, flags);
    try {
      await service.restart();
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
    return service;
  }

  /** Resolves when it serves. */
  async restart(): Promise<void> {
    const listen = this.url.slice("http://".length);
    const argv = [
      process.execPath,
      MAIN,
      "discovery",
      "serve",
      "--listen",
      listen,
      "--data-dir",
      this.#dataDir,
      ...this.#flags,
    ];
    const started = spawnBound(argv, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = started;
    started.stderr?.on("data", (text: Buffer) => (this.log += text.toString()));
    const exited = once(started, "exit").then(([code]) => {
      throw new Error(`the service ended with ${String(code)}\n${this.log}`);
    });
    await Promise.race([once(started.stdout!, "data"), exited]);
    exited.catch(() => undefined);
  }

  /** Ends it, and resolves with its exit code; null after SIGKILL. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined) return null;
    if (running.exitCode !== null || running.signalCode !== null) return running.exitCode;
    const gone = once(running, "exit");
    running.kill(signal);
    const [code] = (await gone) as [number | null];
    return code;
  }

  async mint(size: number): Promise<string> {
    return (await fetch(`${this.url}/new?size=${size}`)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}

/** An etcd that looks for its cluster at a token's URL. */
export class ComingMember implements AsyncDisposable {
  readonly client: string;
  /** What it logged. */
  log = "";
  /** With its exit code. */
  readonly ended: Promise<number | null>;
  readonly #process: ChildProcess;
  readonly #dataDir: string;

  private constructor(process: ChildProcess, client: string, dataDir: string) {
    this.#process = process;
    this.client = client;
    this.#dataDir = dataDir;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on("data", (text: Buffer) => (this.log += text.toString()));
    }
    this.ended = once(process, "exit").then(([code]) => code as number | null);
  }

  static async start(program: string, name: string, token: string): Promise<ComingMember> {
    const dataDir = await mkdtemp(join(tmpdir(), "keelson-member-"));
    const [client, peer] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const argv = [
      `--name=${name}`,
      `--data-dir=${dataDir}`,
      `--listen-client-urls=http://${client}`,
      `--advertise-client-urls=http://${client}`,
      `--listen-peer-urls=http://${peer}`,
      `--initial-advertise-peer-urls=http://${peer}`,
      `--discovery=${token}`,
      "--discovery-fallback=exit",
    ];
    const process = spawnBound([program, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
    return new ComingMember(process, client, dataDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) this.#process.kill("SIGKILL");
    await this.ended;
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}
