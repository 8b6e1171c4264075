// What machines on a cluster's bridge have in common, whatever runs them. Each is one scope, one folder and one
// port, all found again by name: nothing about a machine is kept in this program.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { killGroup } from "./cgroup.ts";
import { tryCommand } from "./command.ts";
import type { CommandOptions, CommandResult } from "./command.ts";
import { takeLock } from "./file-lock.ts";
import { withCut, withoutCut } from "./firewall.ts";
import type { Cuts } from "./firewall.ts";
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
import { portName } from "./names.ts";
import type { ScopeName } from "./names.ts";
import type { ClusterNetwork } from "./network.ts";
import type { Scopes } from "./scopes.ts";

const defaultStopMs = 30_000;

export interface LocalMachinesOptions {
  readonly cluster: string;
  /** The cluster's folder: machines/, hosts, resolv.conf, ssh/ lie in it. */
  readonly folder: string;
  readonly subnet: string;
  readonly scopes: Scopes;
  readonly network: ClusterNetwork;
}

export abstract class LocalMachines implements MachineProvider {
  abstract readonly kind: MachineProvider["kind"];
  abstract readonly slowness: number;
  protected readonly records: MachineRecords;
  protected readonly network: ClusterNetwork;
  protected readonly scopes: Scopes;
  readonly #options: LocalMachinesOptions;

  constructor(options: LocalMachinesOptions) {
    this.#options = options;
    this.records = new MachineRecords(options);
    this.network = options.network;
    this.scopes = options.scopes;
  }

  abstract ready(name: string, options?: ReadyOptions): Promise<"running" | "degraded">;
  abstract execCommand(
    name: string,
    argv: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<string[]>;

  /** Starts a machine that does not run and has no port, and returns when its first process is there. */
  protected abstract launch(record: MachineRecord): Promise<void>;
  /** Shuts a machine down in order, a paused one too. Returns when it has ended, or its time is up. */
  protected abstract shutDown(name: string, scope: string, timeoutMs: number): Promise<void>;
  protected abstract isPaused(name: string, scope: string): Promise<boolean>;
  protected abstract setPaused(name: string, scope: string, paused: boolean): Promise<void>;

  async create(request: MachineRequest): Promise<MachineIdentity> {
    await using _lock = await this.#lock();
    return await this.records.make(request);
  }

  async start(name: string): Promise<void> {
    const record = await this.records.read(name);
    await using _lock = await takeLock(join(this.records.paths(name).folder, "lock"));
    if ((await this.folder(name)) !== undefined) return;
    await this.network.removePort(name);
    await this.launch(record);
  }

  async stop(name: string, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    await this.records.read(name);
    const scope = await this.folder(name);
    if (scope === undefined) return this.clear(name);
    const { timeoutMs = defaultStopMs * this.slowness } = options;
    await this.shutDown(name, scope, timeoutMs);
    await this.clear(name);
  }

  async crash(name: string): Promise<void> {
    await this.records.read(name);
    const scope = await this.folder(name);
    if (scope !== undefined) await killGroup(scope);
    await this.clear(name);
  }

  async pause(name: string): Promise<void> {
    await this.setPaused(name, await this.running(name), true);
  }

  async resume(name: string): Promise<void> {
    await this.setPaused(name, await this.running(name), false);
  }

  async cut(name: string, peers?: readonly string[]): Promise<void> {
    await this.records.read(name);
    await this.#changeCuts((cuts) => withCut(cuts, name, peers));
  }

  async heal(name: string, peers?: readonly string[]): Promise<void> {
    await this.#changeCuts((cuts) => withoutCut(cuts, name, peers));
  }

  async linkDown(name: string): Promise<void> {
    await this.running(name);
    await this.setLink(name, false);
  }

  async linkUp(name: string): Promise<void> {
    await this.running(name);
    await this.setLink(name, true);
  }

  async destroy(name: string): Promise<void> {
    await using _lock = await this.#lock();
    await this.records.forget(name);
    await this.clear(name);
    await this.#changeCuts((cuts) => withoutCut(cuts, name), false);
    await this.records.remove(name);
  }

  async list(): Promise<MachineStatus[]> {
    const records = await this.records.all();
    const cuts = await this.network.cuts(records.map(({ name }) => name));
    return Promise.all(records.map((record) => this.#status(record, cuts)));
  }

  async collectGarbage(): Promise<void> {
    const known = new Set((await this.records.all()).map(({ name }) => name));
    for (const scope of await this.scopes.list(this.#options.cluster)) {
      if (scope.kind !== "machine") continue;
      if (!known.has(scope.name)) await this.destroy(scope.name);
      else if ((await this.scopes.folder(scope)) === undefined) await this.clear(scope.name);
    }
    for (const name of await this.records.folders()) {
      if (!known.has(name)) await this.destroy(name);
    }
  }

  async exec(name: string, argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { env, ...rest } = options;
    return tryCommand(await this.execCommand(name, argv, env), { ...rest, group: true });
  }

  protected scope(name: string): ScopeName {
    return { cluster: this.#options.cluster, kind: "machine", name };
  }

  /** The scope's folder of a machine that runs. */
  protected folder(name: string): Promise<string | undefined> {
    return this.scopes.folder(this.scope(name));
  }

  /** The scope's folder of a machine that must run. */
  protected async running(name: string): Promise<string> {
    await this.records.read(name);
    const scope = await this.folder(name);
    if (scope !== undefined) return scope;
    throw new KeelError("KEEL-303", `${name} does not run`, { hint: `start it: keel machine start ${name}` });
  }

  /** The same of a machine whose time must go on. */
  protected async awake(name: string): Promise<string> {
    const scope = await this.running(name);
    if (!(await this.isPaused(name, scope))) return scope;
    throw new KeelError("KEEL-303", `${name} is paused`, { hint: `keel machine resume ${name}` });
  }

  protected setLink(name: string, up: boolean): Promise<void> {
    return this.network.setLink(name, up);
  }

  /** An error with the last lines of the machine's console. */
  protected async failure(name: string, what: string): Promise<KeelError> {
    const { console } = this.records.paths(name);
    const words = await lastLines(console);
    return new KeelError("KEEL-303", `${name} ${what}${words === "" ? "" : `:\n${words}`}`, {
      hint: `its console is in ${console}`,
    });
  }

  /** Removes what a machine that does not run leaves behind, and kills it if it does. */
  protected async clear(name: string): Promise<void> {
    await this.scopes.remove(this.scope(name));
    await this.network.removePort(name);
  }

  #lock(): ReturnType<typeof takeLock> {
    return takeLock(join(this.#options.folder, "machines.lock"));
  }

  async #status(record: MachineRecord, cuts: Cuts): Promise<MachineStatus> {
    const { name, address, machineId } = record;
    const scope = await this.folder(name);
    let state: MachineState = "stopped";
    if (scope !== undefined) state = (await this.isPaused(name, scope)) ? "paused" : "running";
    const peers = cuts.apart.filter((pair) => pair.includes(name)).map(([a, b]) => (a === name ? b : a));
    return {
      name,
      address,
      machineId,
      state,
      cutFrom: cuts.lost.has(name) ? "everything" : peers,
      link: linkState(portName(this.#options.cluster, name)),
      console: this.records.paths(name).console,
    };
  }

  async #changeCuts(change: (cuts: Cuts) => Cuts, lock = true): Promise<void> {
    await using _lock = lock ? await this.#lock() : undefined;
    if (!this.network.exists()) return;
    await this.network.setCuts(change(await this.network.cuts(await this.records.folders())));
  }
}

/** The last five lines of a log; empty when there is none. */
export async function lastLines(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim().split("\n").slice(-5).join("\n");
}

function linkState(port: string): "up" | "down" {
  try {
    return Number(readFileSync(`/sys/class/net/${port}/flags`, "utf8")) & 1 ? "up" : "down";
  } catch {
    return "down";
  }
}
