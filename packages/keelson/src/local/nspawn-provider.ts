// Machines as systemd-nspawn containers on a cluster's bridge.
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isFrozen, setFrozen, waitUntilEmpty } from "./cgroup.ts";
import { launchScript } from "./launch.ts";
import { LocalMachines } from "./local-machines.ts";
import type { LocalMachinesOptions } from "./local-machines.ts";
import { enterCommand, machineInit, managerAnswers } from "./machine-process.ts";
import type { ReadyOptions } from "./machine-provider.ts";
import type { MachineRecord } from "./machine-records.ts";
import { containerName } from "./names.ts";
import { hasTree, installTree, treeFirmware } from "./tree-machine.ts";
import type { TreeRelease } from "./tree-machine.ts";

const haltSignal = 37; // SIGRTMIN+3: systemd shuts down in order
const rebootCode = 133; // nspawn's exit code when its machine reboots and --keep-unit is given
const defaultReadyMs = 90_000;

export interface NspawnOptions extends LocalMachinesOptions {
  /** Read-only layers, uppermost first. */
  readonly layers: readonly string[];
  /** New machines get two slots, with this release in the first one. */
  readonly release?: TreeRelease;
}

export class NspawnMachines extends LocalMachines {
  readonly kind = "nspawn";
  readonly slowness = 1;
  readonly #options: NspawnOptions;

  constructor(options: NspawnOptions) {
    super(options);
    this.#options = options;
  }

  async ready(name: string, options: ReadyOptions = {}): Promise<"running" | "degraded"> {
    const { timeoutMs = defaultReadyMs, signal } = options;
    const end = performance.now() + timeoutMs;
    await this.records.read(name);
    for (;;) {
      const init = await this.#init(name, end, signal);
      if (managerAnswers(init)) {
        const argv = ["systemctl", "is-system-running", "--wait"];
        const left = Math.max(1, end - performance.now());
        const { stdout } = await this.exec(name, argv, { timeoutMs: left, ...(signal && { signal }) });
        const state = stdout.trim();
        if (state === "running" || state === "degraded") return state;
      }
      if (performance.now() > end) throw await this.failure(name, `is not ready after ${timeoutMs / 1000} s`);
      await sleep(10, undefined, signal === undefined ? {} : { signal });
    }
  }

  async execCommand(
    name: string,
    argv: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<string[]> {
    const scope = await this.awake(name);
    const init = await machineInit(scope);
    if (init === undefined) throw await this.failure(name, "has not started yet");
    return enterCommand(scope, init, argv, env);
  }

  protected async launch(record: MachineRecord): Promise<void> {
    const { name } = record;
    const paths = this.records.paths(name);
    const { release, layers } = this.#options;
    if (release !== undefined) await installTree(paths.folder, release, layers);
    await writeFile(paths.script, await this.#script(record), { mode: 0o700 });
    await this.scopes.start(this.scope(name), {
      argv: ["unshare", "--mount", "--propagation", "slave", paths.script],
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        // The machine sees one cgroup2, whatever the host has.
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
      },
      logFile: paths.console,
      againOn: rebootCode,
      ...(record.memoryBytes === undefined ? {} : { memoryBytes: record.memoryBytes }),
    });
    await this.#init(name, performance.now() + 60_000);
  }

  protected async shutDown(_name: string, scope: string, timeoutMs: number): Promise<void> {
    if (await isFrozen(scope)) await setFrozen(scope, false);
    const init = await machineInit(scope);
    if (init !== undefined) sendSignal(init, haltSignal);
    await waitUntilEmpty(scope, timeoutMs);
  }

  protected isPaused(_name: string, scope: string): Promise<boolean> {
    return isFrozen(scope);
  }

  protected setPaused(_name: string, scope: string, paused: boolean): Promise<void> {
    return setFrozen(scope, paused);
  }

  /**
   * The machine's first process, as soon as there is one. A scope that is empty for a moment may be between
   * two boots; one that stays empty has ended.
   */
  async #init(name: string, end: number, signal?: AbortSignal): Promise<number> {
    let seen = performance.now();
    let patience = 5000;
    for (;;) {
      const scope = await this.folder(name);
      const init = scope === undefined ? undefined : await machineInit(scope);
      if (init !== undefined) return init;
      const now = performance.now();
      if (scope !== undefined) {
        seen = now;
        patience = 1000;
      }
      if (now - seen > patience) throw await this.failure(name, "ended while it was starting");
      if (now > end) throw await this.failure(name, "did not start in time");
      await sleep(10, undefined, signal === undefined ? {} : { signal });
    }
  }

  async #script(record: MachineRecord): Promise<string> {
    const { cluster, folder, layers } = this.#options;
    const paths = this.records.paths(record.name);
    return launchScript({
      paths,
      container: containerName(cluster, record.name),
      hostname: record.name,
      uuid: record.machineId,
      bridge: this.network.bridge,
      layers,
      layersOf: (name) => layers.map((layer) => join(layer, name)).filter((path) => existsSync(path)),
      credentials: await readdir(paths.credentials),
      ...(hasTree(paths.folder) ? { firmware: treeFirmware } : {}),
      files: [
        [join(folder, "hosts"), "/etc/hosts"],
        [join(folder, "resolv.conf"), "/etc/resolv.conf"],
      ],
    });
  }
}

function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
