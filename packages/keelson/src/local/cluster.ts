// A cluster of local machines on this host: its folder, its network, its machines and what runs for it on
// the host itself. Everything is found by the cluster's name, so `destroy` removes it all whatever state it
// was left in and by whom.
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { findHierarchies, groupProcesses, waitUntilEmpty } from "./cgroup.ts";
import { CgroupScopes } from "./cgroup-scopes.ts";
import { takeLock } from "./file-lock.ts";
import { HostSettings } from "./host-settings.ts";
import type { MachineProvider } from "./machine-provider.ts";
import { checkClusterName } from "./names.ts";
import { addressIn, chooseSubnet, ClusterNetwork, clustersWithBridge, usedPrefixes } from "./network.ts";
import { NspawnMachines } from "./nspawn-provider.ts";
import { imageNote } from "./qemu/machine-disk.ts";
import type { QemuBase } from "./qemu/machine-disk.ts";
import { QemuMachines } from "./qemu/qemu-provider.ts";
import { removeFolder } from "./remove-folder.ts";
import { hostResolver } from "./resolver.ts";
import type { Scopes } from "./scopes.ts";
import { ensureKeyPair } from "./ssh-keys.ts";
import { SystemdScopes } from "./systemd-scopes.ts";

export const defaultStateDirectory = "/var/lib/keelson/local";
export const defaultRuntimeDirectory = "/run/keelson";

/** What a cluster keeps in its folder. */
export interface ClusterRecord {
  readonly name: string;
  /** 10.205.N.0/24; the host is .1. */
  readonly subnet: string;
  /** The layers that machines start from, uppermost first. */
  readonly layers: readonly string[];
  /** What virtual machines are made of; the machines are containers when undefined. */
  readonly qemu?: QemuBase;
  /** Facts that the maker of the cluster wants to find again. */
  readonly notes: Readonly<Record<string, string>>;
}

export interface ClusterOptions {
  readonly stateDirectory?: string;
  readonly runtimeDirectory?: string;
  /** How processes are contained; chosen by what runs the host unless given. */
  readonly scopes?: Scopes;
  readonly settings?: HostSettings;
}

export interface HostProcess {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Units where systemd is the host's PID 1, control groups of our own elsewhere. */
export function scopesOfHost(): Scopes {
  const hierarchies = findHierarchies();
  return existsSync("/run/systemd/system") ? new SystemdScopes(hierarchies) : new CgroupScopes(hierarchies);
}

export class LocalCluster {
  readonly name: string;
  /** Everything of the cluster that is a file lies here. */
  readonly folder: string;
  /** For sockets and what else does not outlive the host's boot: /run/keelson/<name>. */
  readonly runtimeFolder: string;
  readonly #state: string;
  readonly #scopes: Scopes;
  readonly #network: ClusterNetwork;
  readonly #settings: HostSettings;

  /** Names a cluster; nothing is made or looked up. */
  constructor(name: string, options: ClusterOptions = {}) {
    this.name = checkClusterName(name);
    this.#state = options.stateDirectory ?? defaultStateDirectory;
    this.folder = join(this.#state, name);
    this.runtimeFolder = join(options.runtimeDirectory ?? defaultRuntimeDirectory, name);
    this.#scopes = options.scopes ?? scopesOfHost();
    this.#network = new ClusterNetwork(name);
    this.#settings = options.settings ?? new HostSettings();
  }

  /** Names of clusters of which files, processes or a network exist on this host. */
  static async list(options: ClusterOptions = {}): Promise<string[]> {
    const folders = await readdir(options.stateDirectory ?? defaultStateDirectory).catch(() => []);
    const scopes = await (options.scopes ?? scopesOfHost()).clusters();
    const names = [
      ...folders.filter((name) => !name.startsWith(".")),
      ...scopes,
      ...(await clustersWithBridge()),
    ];
    return [...new Set(names)].sort();
  }

  /** Whether processes, a network or files of this cluster exist. */
  async exists(): Promise<boolean> {
    return (
      this.#network.exists() || existsSync(this.folder) || (await this.#scopes.clusters()).includes(this.name)
    );
  }

  /** Runs a task that no other command may disturb: KEEL-305 when one is at it already. */
  async exclusively<T>(task: () => Promise<T>): Promise<T> {
    const lock = await takeLock(join(this.#state, ".locks", this.name), 5);
    try {
      return await task();
    } finally {
      await lock.release({ remove: true });
      await removeEmpty(join(this.#state, ".locks"), this.#state, dirname(this.#state));
    }
  }

  /**
   * Makes the cluster's folder, keys and network, or what of them is missing, and sets the machines' layers, or what
   * its virtual machines are made of.
   */
  async create(
    layers: readonly string[],
    notes: ClusterRecord["notes"] = {},
    qemu?: QemuBase,
  ): Promise<ClusterRecord> {
    for (const path of [...layers, ...(qemu === undefined ? [] : [qemu.image])]) {
      if (/[:,\\\s"]/.test(path))
        throw new KeelError("KEEL-301", `machines cannot start from ${path}: it has special characters`);
    }
    const record = await this.#exclusiveOnHost(async () => {
      await mkdir(join(this.folder, "machines"), { recursive: true, mode: 0o700 });
      await mkdir(join(this.folder, "ssh"), { recursive: true, mode: 0o700 });
      const before = await this.#readRecord();
      const subnet =
        before?.subnet ?? chooseSubnet(this.name, [...(await usedPrefixes()), ...(await this.#subnets())]);
      const next: ClusterRecord = {
        name: this.name,
        subnet,
        layers,
        ...(qemu === undefined ? {} : { qemu }),
        notes: { ...before?.notes, ...notes },
      };
      await this.#writeRecord(next);
      await this.#settings.raise();
      await this.#network.create(subnet);
      return next;
    });
    await mkdir(this.runtimeFolder, { recursive: true, mode: 0o755 });
    await ensureKeyPair(this.sshIdentity, `keel@${this.name}`);
    await writeFile(join(this.folder, "resolv.conf"), await hostResolver());
    if (!existsSync(join(this.folder, "hosts"))) {
      await writeFile(
        join(this.folder, "hosts"),
        `127.0.0.1 localhost\n::1 localhost\n${addressIn(record.subnet, 1)} host\n`,
      );
    }
    return record;
  }

  /** The cluster's record; undefined when there is no such cluster. */
  record(): Promise<ClusterRecord | undefined> {
    return this.#readRecord();
  }

  /** Adds facts to the record. */
  async note(notes: ClusterRecord["notes"]): Promise<void> {
    const record = await this.#known();
    await this.#writeRecord({ ...record, notes: { ...record.notes, ...notes } });
  }

  /** The host's address in the cluster's network. */
  async hostAddress(): Promise<string> {
    return addressIn((await this.#known()).subnet, 1);
  }

  /** The private key that may log in to every machine. */
  get sshIdentity(): string {
    return join(this.folder, "ssh/id_ed25519");
  }

  /** ssh's options to reach the cluster's machines and no others. */
  get sshOptions(): string[] {
    const options = ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10"];
    const known = `UserKnownHostsFile=${join(this.folder, "ssh/known_hosts")}`;
    return ["-F", "none", "-i", this.sshIdentity, ...[...options, known].flatMap((option) => ["-o", option])];
  }

  /** The cluster's machines. Throws KEEL-502 when there is no such cluster. */
  async machines(): Promise<MachineProvider> {
    const { subnet, layers, qemu, notes } = await this.#known();
    const shared = {
      cluster: this.name,
      folder: this.folder,
      subnet,
      scopes: this.#scopes,
      network: this.#network,
    };
    const { release: manifest, tools } = notes;
    const isRelease = manifest !== undefined && tools !== undefined;
    const release = isRelease ? { release: { manifest, tools } } : {};
    if (qemu === undefined) return new NspawnMachines({ ...shared, layers, ...release });
    return new QemuMachines({ ...shared, base: qemu, runtimeFolder: this.runtimeFolder });
  }

  /** What its machines need of the cache: layers, the tree with QEMU, the images that disks lie over. */
  async cachePaths(): Promise<string[]> {
    const record = await this.#readRecord();
    const { layers = [], qemu } = record ?? {};
    const machines = await readdir(join(this.folder, "machines")).catch(() => []);
    const images = machines.map((name) =>
      readFile(join(this.folder, "machines", name, imageNote), "utf8").catch(() => undefined),
    );
    const paths = [...layers, qemu?.image, qemu?.tools, ...(await Promise.all(images))];
    return paths.filter((path) => path !== undefined);
  }

  /** A folder for files of the cluster that the host keeps: the store's data, for one. */
  async dataFolder(name: string): Promise<string> {
    const folder = join(this.folder, "host", name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Starts a process that outlives this one, contained as `host.<name>`. One that runs is left alone. */
  async startHostProcess(command: HostProcess): Promise<{ readonly logFile: string }> {
    const scope = this.#hostScope(command.name);
    const logFile = this.hostLog(command.name);
    if ((await this.#scopes.folder(scope)) !== undefined) return { logFile };
    await this.dataFolder(".");
    const { argv, env, cwd } = command;
    await this.#scopes.start(scope, { argv, env, logFile, ...(cwd === undefined ? {} : { cwd }) });
    return { logFile };
  }

  hostLog(name: string): string {
    return join(this.folder, "host", `${name}.log`);
  }

  /** Its process ids; empty when it does not run. */
  async hostProcess(name: string): Promise<number[]> {
    const folder = await this.#scopes.folder(this.#hostScope(name));
    return folder === undefined ? [] : groupProcesses(folder);
  }

  /** Ends it with SIGTERM, after `timeoutMs` with SIGKILL. With 0 it is killed at once. */
  async stopHostProcess(name: string, timeoutMs = 10_000): Promise<void> {
    const scope = this.#hostScope(name);
    const folder = await this.#scopes.folder(scope);
    if (folder !== undefined && timeoutMs > 0) {
      for (const pid of await groupProcesses(folder)) signalProcess(pid, "SIGTERM");
      await waitUntilEmpty(folder, timeoutMs);
    }
    await this.#scopes.remove(scope);
  }

  /** Removes everything: processes, control groups, interfaces, nft tables, mounts, files. May be repeated. */
  async destroy(): Promise<void> {
    const scopes = await this.#scopes.list(this.name);
    await Promise.all(scopes.map((scope) => this.#scopes.remove(scope)));
    await this.#scopes.removeCluster(this.name);
    await this.#network.destroy();
    await removeFolder(this.folder);
    await removeFolder(this.runtimeFolder);
    await this.#exclusiveOnHost(async () => {
      const others = await LocalCluster.list({ stateDirectory: this.#state, scopes: this.#scopes });
      if (others.length === 0) await this.#settings.restore();
    });
    await removeEmpty(dirname(this.runtimeFolder), this.#state, dirname(this.#state));
  }

  #hostScope(name: string): { cluster: string; kind: "host"; name: string } {
    return { cluster: this.name, kind: "host", name };
  }

  async #exclusiveOnHost<T>(task: () => Promise<T>): Promise<T> {
    const lock = await takeLock(join(this.#state, ".lock"));
    try {
      return await task();
    } finally {
      await lock.release({ remove: true });
    }
  }

  async #known(): Promise<ClusterRecord> {
    const record = await this.#readRecord();
    if (record !== undefined) return record;
    throw new KeelError("KEEL-601", `there is no local cluster ${this.name}`, {
      hint: this.name === "default" ? "./keel up starts one" : `./keel up --cluster ${this.name} starts it`,
    });
  }

  async #readRecord(): Promise<ClusterRecord | undefined> {
    const text = await readFile(join(this.folder, "cluster.json"), "utf8").catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as ClusterRecord);
  }

  async #writeRecord(record: ClusterRecord): Promise<void> {
    const path = join(this.folder, "cluster.json");
    await writeFile(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
    await rename(`${path}.new`, path);
  }

  /** Subnets of the host's other clusters, also of those whose network is gone for the moment. */
  async #subnets(): Promise<string[]> {
    const names = (await readdir(this.#state)).filter((name) => !name.startsWith("."));
    const files = names.map((name) =>
      readFile(join(this.#state, name, "cluster.json"), "utf8").catch(() => "{}"),
    );
    return (await Promise.all(files)).map(
      (text) => (JSON.parse(text) as Partial<ClusterRecord>).subnet ?? "",
    );
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function removeEmpty(...folders: readonly string[]): Promise<void> {
  for (const folder of folders) await rmdir(folder).catch(() => {});
}
