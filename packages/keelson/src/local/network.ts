// A cluster's network on the host: one bridge with the host's address .1, and the nft tables.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { KeelError } from "../base/errors.ts";
import { runCommand, tryCommand } from "./command.ts";
import {
  cutRules,
  isPortOf,
  noCuts,
  outwardRules,
  parseCuts,
  passRules,
  removeRules,
  unpassRules,
} from "./firewall.ts";
import type { Cuts } from "./firewall.ts";
import {
  bridgeAlias,
  bridgeHardwareAddress,
  bridgeName,
  portName,
  preferredSubnet,
  tableName,
} from "./names.ts";

const range = "10.205";

/** The subnet with the third byte `n`: 10.205.n.0/24. */
export function subnetOf(n: number): string {
  return `${range}.${n}.0/24`;
}

/** The address with the last byte `host` in a subnet made by `subnetOf`. */
export function addressIn(subnet: string, host: number): string {
  return subnet.replace(/\.0\/24$/, `.${host}`);
}

/** The first subnet from the cluster's preferred one on that no used prefix touches. */
export function chooseSubnet(cluster: string, used: readonly string[]): string {
  const taken = new Set<number>();
  for (const prefix of used) {
    const match = /^10\.205\.(\d+)\.\d+(?:\/(\d+))?$/.exec(prefix);
    if (match?.[1] === undefined) continue;
    const length = match[2] === undefined ? 32 : Number(match[2]);
    if (length < 17) continue;
    const first = Number(match[1]);
    const count = length >= 24 ? 1 : 2 ** (24 - length);
    for (let n = first - (first % count), end = n + count; n < end; n++) taken.add(n);
  }
  for (let i = 0; i < 256; i++) {
    const n = (preferredSubnet(cluster) + i) % 256;
    if (!taken.has(n)) return subnetOf(n);
  }
  throw new KeelError("KEEL-301", `no free subnet is left in ${range}.0.0/16`, {
    hint: "remove a cluster that is not needed: keel down --cluster NAME",
  });
}

/** Prefixes that the host has addresses in or routes to. */
export async function usedPrefixes(): Promise<string[]> {
  const addresses = JSON.parse(await runCommand(["ip", "-json", "-4", "address"])) as {
    addr_info?: { local?: string; prefixlen?: number }[];
  }[];
  const routes = JSON.parse(
    (await runCommand(["ip", "-json", "-4", "route", "show", "table", "all"])) || "[]",
  ) as {
    dst?: string;
  }[];
  return [
    ...addresses.flatMap(({ addr_info = [] }) =>
      addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    ),
    ...routes.map(({ dst }) => dst ?? "").filter((dst) => dst !== "default"),
  ];
}

export class ClusterNetwork {
  readonly cluster: string;
  readonly bridge: string;

  constructor(cluster: string) {
    this.cluster = cluster;
    this.bridge = bridgeName(cluster);
  }

  exists(): boolean {
    return existsSync(`/sys/class/net/${this.bridge}`);
  }

  /** Makes what is missing of bridge and tables. Cuts that hold stay. */
  async create(subnet: string): Promise<void> {
    if (!this.exists()) {
      const address = bridgeHardwareAddress(this.cluster);
      const link = ["ip", "link", "add", "name", this.bridge, "address", address];
      await runCommand([...link, "type", "bridge", "forward_delay", "0"]);
    }
    const link = ["ip", "link", "set", "dev", this.bridge];
    await runCommand([...link, "alias", bridgeAlias(this.cluster), "addrgenmode", "none", "up"]);
    await runCommand(["ip", "address", "replace", `${addressIn(subnet, 1)}/24`, "dev", this.bridge]);
    await this.#apply(outwardRules(this.cluster, subnet));
    await this.#changeForward(passRules);
    if ((await this.#readTable()) === undefined) await this.#apply(cutRules(this.cluster, noCuts));
  }

  /** Removes bridge, tables and every port that is left. Nothing that is missing matters. */
  async destroy(): Promise<void> {
    for (const port of await this.ports()) await tryCommand(["ip", "link", "delete", "dev", port]);
    if (this.exists()) await tryCommand(["ip", "link", "delete", "dev", this.bridge]);
    await this.#apply(removeRules(this.cluster));
    await this.#changeForward(unpassRules);
  }

  /** Host ends of machines' cables. */
  async ports(): Promise<string[]> {
    return (await readdir("/sys/class/net")).filter((name) => isPortOf(this.cluster, name));
  }

  async cuts(machines: readonly string[]): Promise<Cuts> {
    const json = await this.#readTable();
    return json === undefined ? noCuts : parseCuts(this.cluster, json, machines);
  }

  async setCuts(cuts: Cuts): Promise<void> {
    await this.#apply(cutRules(this.cluster, cuts));
  }

  /** The host's end of a machine's cable. */
  port(machine: string): string {
    return portName(this.cluster, machine);
  }

  /** Makes a port for a virtual machine, on the bridge and up. */
  async addPort(machine: string): Promise<void> {
    const port = this.port(machine);
    await runCommand(["ip", "tuntap", "add", "dev", port, "mode", "tap"]);
    await runCommand(["ip", "link", "set", "dev", port, "addrgenmode", "none", "master", this.bridge, "up"]);
  }

  async setLink(machine: string, up: boolean): Promise<void> {
    await runCommand(["ip", "link", "set", "dev", this.port(machine), up ? "up" : "down"]);
  }

  async removePort(machine: string): Promise<void> {
    const port = this.port(machine);
    if (existsSync(`/sys/class/net/${port}`)) await tryCommand(["ip", "link", "delete", "dev", port]);
  }

  async #readTable(): Promise<string | undefined> {
    const result = await tryCommand(["nft", "--json", "list", "table", "bridge", tableName(this.cluster)]);
    return result.code === 0 ? result.stdout : undefined;
  }

  /** Changes the host's own forward chain, where it has one. */
  async #changeForward(change: (cluster: string, chainJson: string) => string): Promise<void> {
    const listed = await tryCommand("nft --json --handle list chain ip filter FORWARD".split(" "));
    if (listed.code !== 0) return;
    const rules = change(this.cluster, listed.stdout);
    if (rules !== "") await this.#apply(rules);
  }

  async #apply(rules: string): Promise<void> {
    await runCommand(["nft", "--file", "-"], { input: rules });
  }
}

/** Clusters that have a bridge on this host, by the alias that the bridge carries. */
export async function clustersWithBridge(): Promise<string[]> {
  const links = JSON.parse((await runCommand(["ip", "-json", "link"])) || "[]") as { ifalias?: string }[];
  const prefix = bridgeAlias("");
  return links
    .map(({ ifalias = "" }) => ifalias)
    .filter((alias) => alias.startsWith(prefix))
    .map((alias) => alias.slice(prefix.length));
}
