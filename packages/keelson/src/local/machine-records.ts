// The folders of a cluster's machines: who they are, what they get told at boot, and the files by which they
// and ssh know them. machine.json is written last when a machine is made and goes first when it is
// destroyed: a folder without one is garbage.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { machineFolders, machinePaths, networkFile } from "./launch.ts";
import type { MachinePaths } from "./launch.ts";
import type { MachineIdentity, MachineRequest } from "./machine-provider.ts";
import { checkMachineName } from "./names.ts";
import { addressIn } from "./network.ts";
import { removeFolder } from "./remove-folder.ts";
import { ensureKeyPair, hostKeyTmpfiles, readPublicKey } from "./ssh-keys.ts";

const firstHost = 11;
const lastHost = 250;

export interface MachineRecord extends MachineIdentity {
  readonly memoryBytes?: number;
  readonly processors?: number;
}

export interface MachineRecordsOptions {
  readonly cluster: string;
  /** The cluster's folder: machines/, hosts and ssh/ lie in it. */
  readonly folder: string;
  readonly subnet: string;
}

/** The address for a new machine: m1 gets .11 and so on while that is free, others the first that is. */
export function chooseAddress(name: string, subnet: string, taken: ReadonlySet<string>): string {
  const own = firstHost - 1 + Number(/^m(\d{1,3})$/.exec(name)?.[1] ?? 1);
  const all = Array.from({ length: lastHost - firstHost + 1 }, (_, i) => firstHost + i);
  for (const host of [own, ...all]) {
    const address = addressIn(subnet, host);
    if (host >= firstHost && host <= lastHost && !taken.has(address)) return address;
  }
  throw new KeelError("KEEL-303", `the cluster has no address left for ${name}`, {
    hint: "remove a machine, or start another cluster: keel up --cluster NAME",
  });
}

export class MachineRecords {
  readonly #options: MachineRecordsOptions;

  constructor(options: MachineRecordsOptions) {
    this.#options = options;
  }

  paths(name: string): MachinePaths {
    return machinePaths(join(this.#options.folder, "machines", checkMachineName(name)));
  }

  /** Names of all folders, those of half made machines too. */
  async folders(): Promise<string[]> {
    return readdir(join(this.#options.folder, "machines")).catch(() => []);
  }

  /** Throws KEEL-502 when there is no such machine. */
  async read(name: string): Promise<MachineRecord> {
    const text = await readFile(this.paths(name).record, "utf8").catch(() => undefined);
    if (text !== undefined) return JSON.parse(text) as MachineRecord;
    throw new KeelError("KEEL-502", `the cluster ${this.#options.cluster} has no machine ${name}`);
  }

  /** All machines, m2 before m10. */
  async all(): Promise<MachineRecord[]> {
    const names = await this.folders();
    const records = await Promise.all(names.map((name) => this.read(name).catch(() => undefined)));
    return records
      .filter((record) => record !== undefined)
      .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  }

  /** Makes the folder of a machine. Throws KEEL-305 when there is one of its name. */
  async make({ name, credentials, memoryBytes, processors }: MachineRequest): Promise<MachineIdentity> {
    const paths = this.paths(name);
    if (existsSync(paths.record)) {
      throw new KeelError("KEEL-305", `the machine ${name} exists already`, {
        hint: `keel machine rm ${name} removes it`,
      });
    }
    await removeFolder(paths.folder);
    for (const folder of machineFolders(paths)) await mkdir(folder, { recursive: true, mode: 0o755 });
    const taken = new Set((await this.all()).map(({ address }) => address));
    const address = chooseAddress(name, this.#options.subnet, taken);
    const identity = { name, address, machineId: randomBytes(16).toString("hex") };
    await this.#writeCredentials(paths, identity, (await credentials?.(identity)) ?? {});
    const record: MachineRecord = {
      ...identity,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(processors === undefined ? {} : { processors }),
    };
    await writeFile(`${paths.record}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
    await rename(`${paths.record}.new`, paths.record);
    await this.#writeNames();
    return identity;
  }

  /** The machine is no more, whatever of its folder is still there. */
  async forget(name: string): Promise<void> {
    await rm(this.paths(name).record, { force: true });
  }

  /** Removes its folder. */
  async remove(name: string): Promise<void> {
    await removeFolder(this.paths(name).folder);
    await this.#writeNames();
  }

  async #writeCredentials(
    paths: MachinePaths,
    identity: MachineIdentity,
    more: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { folder, subnet } = this.#options;
    const hostKey = hostKeyOf(paths);
    await ensureKeyPair(hostKey, identity.name);
    const credentials: Readonly<Record<string, string>> = {
      "network.network.50-host0": networkFile(identity.address, addressIn(subnet, 1)),
      "ssh.authorized_keys.root": await readFile(join(folder, "ssh/id_ed25519.pub"), "utf8"),
      "tmpfiles.extra": hostKeyTmpfiles(await readFile(hostKey, "utf8"), await readPublicKey(hostKey)),
      ...more,
    };
    for (const [name, content] of Object.entries(credentials)) {
      await writeFile(join(paths.credentials, name), content, { mode: 0o600 });
    }
  }

  /** Machines know each other by name, and ssh knows them by key. */
  async #writeNames(): Promise<void> {
    const { folder, subnet } = this.#options;
    const hosts = ["127.0.0.1 localhost", "::1 localhost", `${addressIn(subnet, 1)} host`];
    const known = [];
    for (const { name, address } of await this.all()) {
      hosts.push(`${address} ${name}`);
      known.push(`${name},${address} ${await readPublicKey(hostKeyOf(this.paths(name)))}`);
    }
    await rewrite(join(folder, "hosts"), `${hosts.join("\n")}\n`);
    await writeFile(join(folder, "ssh/known_hosts"), known.map((line) => `${line}\n`).join(""));
  }
}

function hostKeyOf({ folder }: MachinePaths): string {
  return join(folder, "ssh_host_ed25519_key");
}

/** Replaces a file's content in place, since machines hold the file, and without a moment in which it is empty. */
async function rewrite(path: string, content: string): Promise<void> {
  await using file = await open(path, existsSync(path) ? "r+" : "w", 0o644);
  const bytes = Buffer.from(content);
  await file.write(bytes, 0, bytes.length, 0);
  await file.truncate(bytes.length);
}
