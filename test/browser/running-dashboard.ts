// A daemon's API with the built dashboard over a store, and a browser that looks at it.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { EtcdServer } from "@keelson/etcd/server";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { freePort } from "../../packages/etcd/test/free-port.ts";
import { startApi } from "../../packages/keelson/src/api/api.ts";
import type { Api } from "../../packages/keelson/src/api/api.ts";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { parseConfiguration } from "../../packages/keelson/src/base/configuration.ts";
import { silentLog } from "../../packages/keelson/src/base/log.ts";
import { Metrics } from "../../packages/keelson/src/base/metrics.ts";
import { systemRandom } from "../../packages/keelson/src/base/random.ts";
import { BodyCache } from "../../packages/keelson/src/registry/body-cache.ts";
import type { StoreClient } from "../../packages/keelson/src/registry/store-client.ts";
import { EtcdStore } from "../../packages/keelson/src/registry/etcd-store.ts";

const root = resolve(import.meta.dirname, "../..");
/** The dashboard as it is shipped. */
export const builtFolder = join(root, "packages/dashboard/dist");
export const chromiumPath = "/usr/bin/chromium";

/** Why the browser suite cannot run here; undefined when it can. */
export function missingBrowser(): string | undefined {
  return existsSync(chromiumPath) ? undefined : `${chromiumPath} is missing: apt install chromium`;
}

export function openBrowser(): Promise<Browser> {
  const args = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ];
  return chromium.launch({ executablePath: chromiumPath, args });
}

/** Builds the dashboard as it is shipped. */
export function buildDashboard(): void {
  execFileSync("npm", ["run", "build", "--silent", "-w", "packages/dashboard"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** An API and its store, each of which can be stopped and started again at the same address. */
export class RunningDashboard implements AsyncDisposable {
  readonly store: StoreClient;
  readonly url: string;
  readonly #folder: string;
  readonly #ports: { readonly api: number; readonly store: number };
  readonly #client: EtcdStore;
  #server: EtcdServer | undefined;
  #api: Api | undefined;

  private constructor(folder: string, ports: { readonly api: number; readonly store: number }) {
    this.#folder = folder;
    this.#ports = ports;
    const endpoints = [`http://127.0.0.1:${ports.store}`];
    this.#client = new EtcdStore({ endpoints, clock: systemClock, random: systemRandom, log: silentLog });
    this.store = this.#client;
    this.url = `http://127.0.0.1:${ports.api}/`;
  }

  static async start(): Promise<RunningDashboard> {
    const ports = { api: await freePort(), store: await freePort() };
    const running = new RunningDashboard(await mkdtemp(join(tmpdir(), "keelson-browser-")), ports);
    await running.startStore();
    await running.startDaemon();
    return running;
  }

  async startDaemon(): Promise<void> {
    const configuration = parseConfiguration(
      JSON.stringify({
        cluster: "harbour",
        roles: ["api"],
        address: "127.0.0.1",
        store: { endpoints: ["http://127.0.0.1:1"] },
        api: {
          socket: join(this.#folder, "api.sock"),
          listen: [{ host: "127.0.0.1", port: this.#ports.api }],
          dashboard: builtFolder,
        },
        stateDir: this.#folder,
      }),
      "the browser suite",
    );
    this.#api = await startApi({
      configuration,
      machine: { id: "1".padStart(32, "0"), name: "m1", address: "127.0.0.1", apiPort: this.#ports.api },
      version: "0.1.0",
      store: this.store,
      bodies: new BodyCache(this.store),
      log: silentLog,
      clock: systemClock,
      random: systemRandom,
      metrics: new Metrics(),
    });
  }

  async stopDaemon(): Promise<void> {
    await this.#api?.[Symbol.asyncDispose]();
    this.#api = undefined;
  }

  async startStore(): Promise<void> {
    const listen = [{ host: "127.0.0.1", port: this.#ports.store }];
    this.#server = await EtcdServer.start({ dataDir: join(this.#folder, "store"), listen });
  }

  async stopStore(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopDaemon();
    await this.#client[Symbol.asyncDispose]();
    await this.stopStore();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
