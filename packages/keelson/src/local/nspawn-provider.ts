// Machines as systemd-nspawn containers on a cluster's bridge. Each is one scope, one folder and one port,
// all found again by name: nothing about a machine is kept in this program.
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KeelError } from "../base/errors.ts";
import { isFrozen, killGroup, setFrozen, waitUntilEmpty } from "./cgroup.ts";
import { tryCommand } from "./command.ts";
import type { CommandOptions, CommandResult } from "./command.ts";
import { withCut, withoutCut } from "./firewall.ts";
import type { Cuts } from "./firewall.ts";
import { takeLock } from "./file-lock.ts";
import { launchScript } from "./launch.ts";
import { enterCommand, machineInit, managerAnswers } from "./machine-process.ts";
import type {
  MachineIdentity,
  MachineProvider,
  MachineRequest,
  MachineState,
  MachineStatus,
  ReadyOptions,
} from "./machine-provider.ts";
import { MachineRecords } from "./machine-records.ts";
import type { MachineRecord } from "./machine-records.ts";
import type { ClusterNetwork } from "./network.ts";
import { containerName, portName } from "./names.ts";
import type { ScopeName } from "./names.ts";
import type { Scopes } from "./scopes.ts";

const haltSignal = 37; // SIGRTMIN+3: systemd shuts down in order
const rebootCode = 133; // nspawn's exit code when its machine reboots and --keep-unit is given
const defaultStopMs = 30_000;
const defaultReadyMs = 90_000;

export interface NspawnOptions {
  readonly cluster: string;
  /** The cluster's folder: machines/, hosts, resolv.conf, ssh/ lie in it. */
  readonly folder: string;
  readonly subnet: string;
  /** Read-only layers, uppermost first. */
  readonly layers: readonly string[];
  readonly scopes: Scopes;
  readonly network: ClusterNetwork;
}

export class NspawnMachines implements MachineProvider {
  readonly #options: NspawnOptions;
  readonly #records: MachineRecords;

  constructor(options: NspawnOptions) {
    this.#options = options;
    this.#records = new MachineRecords(options);
  }

  async create(request: MachineRequest): Promise<MachineIdentity> {
    await using _lock = await this.#lock();
    return await this.#records.make(request);
  }

  async start(name: string): Promise<void> {
    const record = await this.#records.read(name);
    const paths = this.#records.paths(name);
    await using _lock = await takeLock(join(paths.folder, "lock"));
    if ((await this.#folder(name)) !== undefined) return;
    await this.#options.network.removePort(name);
    await writeFile(paths.script, await this.#script(record), { mode: 0o700 });
    await this.#options.scopes.start(this.#scope(name), {
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

  async ready(name: string, options: ReadyOptions = {}): Promise<"running" | "degraded"> {
    const { timeoutMs = defaultReadyMs, signal } = options;
    const end = performance.now() + timeoutMs;
    await this.#records.read(name);
    for (;;) {
      const init = await this.#init(name, end, signal);
      if (managerAnswers(init)) {
        const argv = ["systemctl", "is-system-running", "--wait"];
        const left = Math.max(1, end - performance.now());
        const { stdout } = await this.exec(name, argv, { timeoutMs: left, ...(signal && { signal }) });
        const state = stdout.trim();
        if (state === "running" || state === "degraded") return state;
      }
      if (performance.now() > end)
        throw await this.#failure(name, `is not ready after ${timeoutMs / 1000} s`);
      await sleep(10, undefined, signal === undefined ? {} : { signal });
    }
  }

  async stop(name: string, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    await this.#records.read(name);
    const folder = await this.#folder(name);
    if (folder === undefined) return this.#clear(name);
    if (await isFrozen(folder)) await setFrozen(folder, false);
    const init = await machineInit(folder);
    if (init !== undefined) sendSignal(init, haltSignal);
    await waitUntilEmpty(folder, options.timeoutMs ?? defaultStopMs);
    await this.#clear(name);
  }

  async crash(name: string): Promise<void> {
    await this.#records.read(name);
    const folder = await this.#folder(name);
    if (folder !== undefined) await killGroup(folder);
    await this.#clear(name);
  }

  async pause(name: string): Promise<void> {
    await setFrozen(await this.#running(name), true);
  }

  async resume(name: string): Promise<void> {
    await setFrozen(await this.#running(name), false);
  }

  async cut(name: string, peers?: readonly string[]): Promise<void> {
    await this.#records.read(name);
    await this.#changeCuts((cuts) => withCut(cuts, name, peers));
  }

  async heal(name: string, peers?: readonly string[]): Promise<void> {
    await this.#changeCuts((cuts) => withoutCut(cuts, name, peers));
  }

  async linkDown(name: string): Promise<void> {
    await this.#running(name);
    await this.#options.network.setLink(name, false);
  }

  async linkUp(name: string): Promise<void> {
    await this.#running(name);
    await this.#options.network.setLink(name, true);
  }

  async destroy(name: string): Promise<void> {
    await using _lock = await this.#lock();
    await this.#records.forget(name);
    await this.#clear(name);
    await this.#changeCuts((cuts) => withoutCut(cuts, name), false);
    await this.#records.remove(name);
  }

  async list(): Promise<MachineStatus[]> {
    const records = await this.#records.all();
    const cuts = await this.#options.network.cuts(records.map(({ name }) => name));
    return Promise.all(records.map((record) => this.#status(record, cuts)));
  }

  async collectGarbage(): Promise<void> {
    const known = new Set((await this.#records.all()).map(({ name }) => name));
    const { cluster, scopes } = this.#options;
    for (const scope of await scopes.list(cluster)) {
      if (scope.kind !== "machine") continue;
      if (!known.has(scope.name)) await this.destroy(scope.name);
      else if ((await scopes.folder(scope)) === undefined) await this.#clear(scope.name);
    }
    for (const name of await this.#records.folders()) {
      if (!known.has(name)) await this.destroy(name);
    }
  }

  async exec(name: string, argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { env, ...rest } = options;
    return tryCommand(await this.execCommand(name, argv, env), { ...rest, group: true });
  }

  async execCommand(
    name: string,
    argv: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<string[]> {
    const folder = await this.#running(name);
    if (await isFrozen(folder))
      throw new KeelError("KEEL-303", `${name} is paused`, { hint: `keel machine resume ${name}` });
    const init = await machineInit(folder);
    if (init === undefined) throw await this.#failure(name, "has not started yet");
    return enterCommand(folder, init, argv, env);
  }

  #scope(name: string): ScopeName {
    return { cluster: this.#options.cluster, kind: "machine", name };
  }

  #folder(name: string): Promise<string | undefined> {
    return this.#options.scopes.folder(this.#scope(name));
  }

  #lock(): ReturnType<typeof takeLock> {
    return takeLock(join(this.#options.folder, "machines.lock"));
  }

  /** The scope's folder of a machine that must run. */
  async #running(name: string): Promise<string> {
    await this.#records.read(name);
    const folder = await this.#folder(name);
    if (folder !== undefined) return folder;
    throw new KeelError("KEEL-303", `${name} does not run`, { hint: `start it: keel machine start ${name}` });
  }

  async #status(record: MachineRecord, cuts: Cuts): Promise<MachineStatus> {
    const { name, address, machineId } = record;
    const folder = await this.#folder(name);
    let state: MachineState = "stopped";
    if (folder !== undefined) state = (await isFrozen(folder)) ? "paused" : "running";
    const peers = cuts.apart.filter((pair) => pair.includes(name)).map(([a, b]) => (a === name ? b : a));
    return {
      name,
      address,
      machineId,
      state,
      cutFrom: cuts.lost.has(name) ? "everything" : peers,
      link: linkState(portName(this.#options.cluster, name)),
      console: this.#records.paths(name).console,
    };
  }

  /**
   * The machine's first process, as soon as there is one. A scope that is empty for a moment may be between
   * two boots; one that stays empty has ended.
   */
  async #init(name: string, end: number, signal?: AbortSignal): Promise<number> {
    let seen = performance.now();
    let patience = 5000;
    for (;;) {
      const folder = await this.#folder(name);
      const init = folder === undefined ? undefined : await machineInit(folder);
      if (init !== undefined) return init;
      const now = performance.now();
      if (folder !== undefined) {
        seen = now;
        patience = 1000;
      }
      if (now - seen > patience) throw await this.#failure(name, "ended while it was starting");
      if (now > end) throw await this.#failure(name, "did not start in time");
      await sleep(10, undefined, signal === undefined ? {} : { signal });
    }
  }

  async #failure(name: string, what: string): Promise<KeelError> {
    const { console } = this.#records.paths(name);
    const text = await readFile(console, "utf8").catch(() => "");
    const words = text.trim().split("\n").slice(-5).join("\n");
    return new KeelError("KEEL-303", `${name} ${what}${words === "" ? "" : `:\n${words}`}`, {
      hint: `its console is in ${console}`,
    });
  }

  /** Removes what a machine that does not run leaves behind, and kills it if it does. */
  async #clear(name: string): Promise<void> {
    await this.#options.scopes.remove(this.#scope(name));
    await this.#options.network.removePort(name);
  }

  async #changeCuts(change: (cuts: Cuts) => Cuts, lock = true): Promise<void> {
    await using _lock = lock ? await this.#lock() : undefined;
    const { network } = this.#options;
    if (!network.exists()) return;
    await network.setCuts(change(await network.cuts(await this.#records.folders())));
  }

  async #script(record: MachineRecord): Promise<string> {
    const { cluster, folder, layers, network } = this.#options;
    const paths = this.#records.paths(record.name);
    return launchScript({
      paths,
      container: containerName(cluster, record.name),
      hostname: record.name,
      uuid: record.machineId,
      bridge: network.bridge,
      layers,
      layersOf: (name) => layers.map((layer) => join(layer, name)).filter((path) => existsSync(path)),
      credentials: await readdir(paths.credentials),
      files: [
        [join(folder, "hosts"), "/etc/hosts"],
        [join(folder, "resolv.conf"), "/etc/resolv.conf"],
      ],
    });
  }
}

function linkState(port: string): "up" | "down" {
  try {
    return Number(readFileSync(`/sys/class/net/${port}/flags`, "utf8")) & 1 ? "up" : "down";
  } catch {
    return "down";
  }
}

function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
