// A store to test against, and the real etcd as one. The embedded server is the other.
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Connection } from "../../src/client/connection.ts";
import { parseEndpoint } from "../../src/client/endpoint.ts";
import { EtcdClient } from "../../src/client/index.ts";
import type { ClientAuth, EtcdClientOptions } from "../../src/client/index.ts";
import { rpc } from "../../src/client/rpc.ts";
import { surroundings } from "../../src/client/surroundings.ts";
import { tlsSupply } from "../../src/client/tls.ts";
import { Auth } from "../../src/proto/generated/etcdserverpb/auth_pb.ts";
import { crash, spawnBound } from "../bound-process.ts";
import { freePort } from "../free-port.ts";
import type { Certificate } from "../certificates.ts";
import { PATIENCE_MS } from "./expect.ts";

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

/** Resolves when the store at `port` answers. */
export async function serving(port: number, access: Access = {}): Promise<void> {
  await using client = new EtcdClient({ ...access, endpoints: [`127.0.0.1:${port}`] });
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await client.get("is it there", { deadlineMs: 2000, attempts: 1 });
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

/** How a test wants its store. */
export interface StoreSettings {
  readonly tls?: ServedTls | undefined;
  /** The store asks for users, and this one is root. */
  readonly auth?: ClientAuth | undefined;
}

export function accessTo({ tls, auth }: StoreSettings): Access {
  if (tls === undefined) return { auth };
  const { ca, client, serverName } = tls;
  return { auth, tls: { ca: ca.cert, cert: client?.cert, key: client?.key, serverName } };
}

/** Makes the user, and has the store ask for users from now on. */
export async function enableAuth(port: number, { auth, tls }: Access): Promise<void> {
  if (auth === undefined) return;
  const { username: name, password } = auth;
  const endpoint = parseEndpoint(`127.0.0.1:${port}`, tls !== undefined);
  const clock = surroundings({}).clock;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const supply = tls === undefined ? undefined : tlsSupply(tls);
  const connection = await Connection.open(endpoint, { clock, tls: supply }, signal);
  const options = { deadlineMs: PATIENCE_MS, needsLeader: true };
  await connection.unary(rpc(Auth.method.userAdd), { name, password }, options);
  await connection.unary(rpc(Auth.method.userGrantRole), { user: name, role: "root" }, options);
  await connection.unary(rpc(Auth.method.authEnable), {}, options);
  connection.close();
}

export class RealEtcd implements TestStore {
  readonly port: number;
  readonly access: Access;
  readonly #peerPort: number;
  readonly #dir: string;
  readonly #tls: ServedTls | undefined;
  #process: ChildProcess | undefined;

  private constructor(ports: readonly [client: number, peer: number], dir: string, settings: StoreSettings) {
    this.port = ports[0];
    this.#peerPort = ports[1];
    this.#dir = dir;
    this.#tls = settings.tls;
    this.access = accessTo(settings);
  }

  static async start(settings: StoreSettings = {}): Promise<RealEtcd> {
    const dir = await mkdtemp(path.join(tmpdir(), "keelson-etcd-"));
    const store = new RealEtcd([await freePort(), await freePort()], dir, settings);
    try {
      await store.restart();
      await enableAuth(store.port, store.access);
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
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
      "bcrypt-cost": "4",
      ...(tls === undefined ? {} : { "cert-file": tls.server.certFile, "key-file": tls.server.keyFile }),
      ...(tls?.client === undefined
        ? {}
        : { "trusted-ca-file": tls.ca.certFile, "client-cert-auth": "true" }),
    };
    const argv = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.#process = spawnBound([REAL_ETCD, ...argv], { stdio: "ignore" });
    await serving(this.port, this.access);
  }

  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    await crash(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
