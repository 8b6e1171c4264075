// The embedded server as a store to test against: in a process of its own, so that it can be killed.
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { EtcdServerOptions, TlsOptions } from "../../src/server/index.ts";
import { crash, spawnBound } from "../bound-process.ts";
import { freePort } from "../free-port.ts";
import { accessTo, enableAuth, serving } from "./test-store.ts";
import type { Access, StoreSettings, TestStore } from "./test-store.ts";

const MAIN = path.join(import.meta.dirname, "embedded-main.ts");

export class EmbeddedStore implements TestStore {
  readonly port: number;
  readonly access: Access;
  readonly #dir: string;
  readonly #tls: TlsOptions | undefined;
  #process: ChildProcess | undefined;

  private constructor(port: number, dir: string, settings: StoreSettings) {
    this.port = port;
    this.#dir = dir;
    this.access = accessTo(settings);
    const { tls } = settings;
    if (tls === undefined) return;
    const { certFile, keyFile } = tls.server;
    const clients = tls.client && { trustedCaFile: tls.ca.certFile, clientCertAuth: true };
    this.#tls = { certFile, keyFile, ...clients };
  }

  static async start(settings: StoreSettings = {}): Promise<EmbeddedStore> {
    const dir = await mkdtemp(path.join(tmpdir(), "keelson-store-"));
    const store = new EmbeddedStore(await freePort(), dir, settings);
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
    const options: EtcdServerOptions = {
      dataDir: this.#dir,
      listen: [{ host: "127.0.0.1", port: this.port, tls: this.#tls }],
      auth: { bcryptCost: 4 },
    };
    const argv = [process.execPath, MAIN, JSON.stringify(options)];
    this.#process = spawnBound(argv, { stdio: ["ignore", "ignore", "inherit"] });
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
