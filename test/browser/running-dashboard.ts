// A daemon's API with the built dashboard over a store, and a browser that looks at it.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";
import { startApi } from "../../packages/keelson/src/api/api.ts";
import type { Api } from "../../packages/keelson/src/api/api.ts";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { parseConfiguration } from "../../packages/keelson/src/base/configuration.ts";
import { silentLog } from "../../packages/keelson/src/base/log.ts";
import { Metrics } from "../../packages/keelson/src/base/metrics.ts";
import { systemRandom } from "../../packages/keelson/src/base/random.ts";
import { BodyCache } from "../../packages/keelson/src/registry/body-cache.ts";
import type { StoreClient } from "../../packages/keelson/src/registry/store-client.ts";
import { SimulatedStore } from "../../packages/keelson/src/registry/simulated-store.ts";

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

/** An API that can be stopped and started again at the same address, over one store. */
export class RunningDashboard implements AsyncDisposable {
  readonly store: StoreClient;
  readonly url: string;
  readonly #simulated: SimulatedStore;
  readonly #folder: string;
  readonly #port: number;
  #api: Api | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.#simulated = new SimulatedStore(systemClock);
    this.store = this.#simulated.door();
    this.url = `http://127.0.0.1:${port}/`;
  }

  static async start(): Promise<RunningDashboard> {
    const running = new RunningDashboard(await mkdtemp(join(tmpdir(), "keelson-browser-")), await freePort());
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
          listen: [{ host: "127.0.0.1", port: this.#port }],
          dashboard: builtFolder,
        },
        stateDir: this.#folder,
      }),
      "the browser suite",
    );
    this.#api = await startApi({
      configuration,
      machine: { id: "1".padStart(32, "0"), name: "m1", address: "127.0.0.1", apiPort: this.#port },
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

  stopStore(): Promise<void> {
    this.#simulated.stop();
    return Promise.resolve();
  }

  startStore(): Promise<void> {
    this.#simulated.start();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopDaemon();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((done, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}
