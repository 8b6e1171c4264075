// A store to test against, and the real etcd as one. The embedded server is the other.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { EtcdClient } from "../../src/client/index.ts";

/** A running store that can be killed and started again with its data, at the same address. */
export interface TestStore extends AsyncDisposable {
  readonly port: number;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again; resolves when it serves. */
  restart(): Promise<void>;
}

export const REAL_ETCD = process.env["KEELSON_TEST_ETCD"] ?? "/usr/bin/etcd";

/** Why the real etcd cannot be tested here, or false. */
export const noRealEtcd: string | false = existsSync(REAL_ETCD)
  ? false
  : `${REAL_ETCD} is not installed (Debian: apt-get install etcd-server)`;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves when the store at `port` answers. */
export async function serving(port: number, withinMs = 10_000): Promise<void> {
  await using client = new EtcdClient({ endpoints: [`127.0.0.1:${port}`] });
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      await client.get("is it there", { deadlineMs: 500, attempts: 1 });
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

export class RealEtcd implements TestStore {
  readonly port: number;
  readonly #peerPort: number;
  readonly #dir: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, peerPort: number, dir: string) {
    this.port = port;
    this.#peerPort = peerPort;
    this.#dir = dir;
  }

  static async start(): Promise<RealEtcd> {
    const dir = await mkdtemp(path.join(tmpdir(), "keelson-etcd-"));
    const store = new RealEtcd(await freePort(), await freePort(), dir);
    await store.restart();
    return store;
  }

  async restart(): Promise<void> {
    const client = `http://127.0.0.1:${this.port}`;
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    const flags = {
      "data-dir": this.#dir,
      "listen-client-urls": client,
      "advertise-client-urls": client,
      "listen-peer-urls": peer,
      "initial-advertise-peer-urls": peer,
      "initial-cluster": `default=${peer}`,
      "heartbeat-interval": "20",
      "election-timeout": "200",
      "log-level": "error",
    };
    const argv = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.#process = spawn(REAL_ETCD, argv, { stdio: "ignore" });
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
