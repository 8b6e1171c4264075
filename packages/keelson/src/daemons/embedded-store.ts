// The embedded store of this daemon, and its data directory: the store itself while nobody moved it, a sealed
// signpost to its successor afterwards, and an empty one when the store comes back.
import { existsSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EtcdServer } from "@keelson/etcd/server";
import type { KeysStore } from "@keelson/etcd/rest";
import { settleRestore, type RestoredPlace } from "../backup/running-restore.ts";
import type { Configuration } from "../base/configuration.ts";
import type { Log } from "../base/log.ts";
import type { ReturnPlace } from "../store-cluster/homecoming.ts";

export interface EmbeddedStoreOptions {
  readonly configuration: Configuration;
  /** Of the member, as MemberList tells it. */
  readonly name: string;
  readonly log: Log;
}

const formerSuffix = ".former";
const oldSuffix = ".old-";

export class EmbeddedStore implements AsyncDisposable, ReturnPlace, RestoredPlace {
  readonly #options: EmbeddedStoreOptions;
  #server: EtcdServer | undefined;
  #isClosed = false;

  constructor(options: EmbeddedStoreOptions) {
    this.#options = options;
  }

  get endpoints(): readonly string[] {
    return this.#options.configuration.store.endpoints;
  }

  /** Whether there is data to start with. */
  get hasData(): boolean {
    return existsSync(this.dataDir);
  }

  /** What it holds, for this process; undefined while it does not run. */
  get keys(): KeysStore | undefined {
    return this.#server?.keys;
  }

  /** Puts in order what a restore has left that was broken off. To be called before anything else. */
  async settle(): Promise<void> {
    if (this.dataDir === "") return;
    const outcome = await settleRestore(this.dataDir);
    if (outcome === undefined) return;
    const words = outcome === "new" ? "the restored store is in its place" : "the store is as it was";
    this.#options.log.warn(`a restore was broken off: ${words}`);
  }

  /** Starts the server on what the data directory holds; an empty one begins a new store. */
  async start(): Promise<void> {
    const { configuration, name, log } = this.#options;
    const { listen, endpoints } = configuration.store;
    if (this.#server !== undefined || listen === undefined || this.#isClosed) return;
    this.#server = await EtcdServer.start({
      dataDir: this.dataDir,
      listen,
      name,
      advertiseClientUrls: endpoints,
      log: (level, message, fields) => log[level](message, fields),
    });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.[Symbol.asyncDispose]();
  }

  /** Puts the former data aside and starts on none. */
  async begin(): Promise<void> {
    await this.stop();
    if (this.hasData && !existsSync(this.#former)) await rename(this.dataDir, this.#former);
    await rm(this.dataDir, { recursive: true, force: true });
    await this.start();
  }

  /** Takes `begin` back, if it was called and not confirmed. */
  async giveUp(): Promise<void> {
    if (existsSync(this.#former)) {
      await this.stop();
      await rm(this.dataDir, { recursive: true, force: true });
      await rename(this.#former, this.dataDir);
    }
    if (this.hasData) await this.start();
  }

  /** What `begin` has started is the store now; what was put aside is kept under the epoch's number. */
  async confirm(epoch: number): Promise<void> {
    if (existsSync(this.#former)) await rename(this.#former, `${this.dataDir}${oldSuffix}${epoch}`);
  }

  /** Deletes what earlier moves have put aside; the signpost too when the store is elsewhere. */
  async forget(isElsewhere: boolean): Promise<readonly string[]> {
    if (isElsewhere) await this.stop();
    const folder = dirname(this.dataDir);
    const name = basename(this.dataDir);
    const there = await readdir(folder).catch(() => []);
    const isOld = (entry: string): boolean =>
      entry.startsWith(name + oldSuffix) || (isElsewhere && entry === name);
    const old = there.filter(isOld).map((entry) => join(folder, entry));
    for (const path of old) await rm(path, { recursive: true, force: true });
    return old;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    return this.stop();
  }

  get dataDir(): string {
    return this.#options.configuration.store.dataDir ?? "";
  }

  get #former(): string {
    return this.dataDir + formerSuffix;
  }
}
