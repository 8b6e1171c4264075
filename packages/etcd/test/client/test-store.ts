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
import type { EtcdClientOptions } from "../../src/client/index.ts";
import type { Certificate } from "../certificates.ts";

/** What a client needs to be let in, besides the endpoint. */
export type Access = Pick<EtcdClientOptions, "tls" | "auth">;

/** A running store that can be killed and started again with its data, at the same address. */
export interface TestStore extends AsyncDisposable {
  readonly port: number;
  readonly access: Access;
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
export async function serving(port: number, access: Access = {}, withinMs = 10_000): Promise<void> {
  await using client = new EtcdClient({ ...access, endpoints: [`127.0.0.1:${port}`] });
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

/** How a server speaks TLS. */
export interface ServedTls {
  readonly ca: Certificate;
  readonly server: Certificate;
  /** What the suite's client shows; the server lets nobody in without. */
  readonly client?: Certificate;
  /** The name in the server's certificate, if it is not where it listens. */
  readonly serverName?: string;
}

export function accessTo(tls: ServedTls | undefined): Access {
  if (tls === undefined) return {};
  const { ca, client, serverName } = tls;
  return { tls: { ca: ca.cert, cert: client?.cert, key: client?.key, serverName } };
}

export class RealEtcd implements TestStore {
  readonly port: number;
  readonly access: Access;
  readonly #peerPort: number;
  readonly #dir: string;
  readonly #tls: ServedTls | undefined;
  #process: ChildProcess | undefined;

  private constructor(ports: readonly [client: number, peer: number], dir: string, tls?: ServedTls) {
    this.port = ports[0];
    this.#peerPort = ports[1];
    this.#dir = dir;
    this.#tls = tls;
    this.access = accessTo(tls);
  }

  static async start(tls?: ServedTls): Promise<RealEtcd> {
    const dir = await mkdtemp(path.join(tmpdir(), "keelson-etcd-"));
    const store = new RealEtcd([await freePort(), await freePort()], dir, tls);
    await store.restart();
    return store;
  }

  async restart(): Promise<void> {
    const tls = this.#tls;
    const client = `${tls === undefined ? "http" : "https"}://127.0.0.1:${this.port}`;
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
      ...(tls === undefined ? {} : { "cert-file": tls.server.certFile, "key-file": tls.server.keyFile }),
      ...(tls?.client === undefined
        ? {}
        : { "trusted-ca-file": tls.ca.certFile, "client-cert-auth": "true" }),
    };
    const argv = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.#process = spawn(REAL_ETCD, argv, { stdio: "ignore" });
    await serving(this.port, this.access);
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
