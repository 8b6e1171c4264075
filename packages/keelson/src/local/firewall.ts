// The nft rules of a cluster: which machines are cut off, and how machines reach the world. Text in and out.
import { bridgeName, portName, portPrefix, tableName } from "./names.ts";

/** The host's own side of the bridge, where a peer is named. */
export const hostPeer = "host";

/** Silent partitions: what is dropped without a trace, while every cable stays in. */
export interface Cuts {
  /** Machines cut from everything, the host too. */
  readonly lost: ReadonlySet<string>;
  /** Pairs that cannot reach each other: [a, b]. The second may be `host`. */
  readonly apart: readonly (readonly [string, string])[];
}

export const noCuts: Cuts = { lost: new Set(), apart: [] };

/** The cuts with `machine` cut from `peers`, or from everything when none are named. */
export function withCut(cuts: Cuts, machine: string, peers?: readonly string[]): Cuts {
  if (peers === undefined) return { ...cuts, lost: new Set([...cuts.lost, machine]) };
  const apart = [...cuts.apart];
  for (const peer of peers) {
    if (peer !== machine && !apart.some((pair) => isPair(pair, machine, peer))) apart.push([machine, peer]);
  }
  return { ...cuts, apart };
}

/** The cuts without those of `machine`, or without those between it and `peers`. */
export function withoutCut(cuts: Cuts, machine: string, peers?: readonly string[]): Cuts {
  if (peers !== undefined) {
    return {
      ...cuts,
      apart: cuts.apart.filter((pair) => !peers.some((peer) => isPair(pair, machine, peer))),
    };
  }
  const lost = new Set(cuts.lost);
  lost.delete(machine);
  return { lost, apart: cuts.apart.filter(([a, b]) => a !== machine && b !== machine) };
}

function isPair([a, b]: readonly [string, string], one: string, other: string): boolean {
  return (a === one && b === other) || (a === other && b === one);
}

/**
 * The bridge table that carries the cuts out, replacing the one before in one transaction. Dropping in the
 * bridge family covers ARP too; the host is reached through the input and output hooks.
 */
export function cutRules(cluster: string, cuts: Cuts): string {
  const table = tableName(cluster);
  const port = (machine: string): string => `"${portName(cluster, machine)}"`;
  const lost = [...cuts.lost].map(port);
  const apart = cuts.apart
    .filter(([, b]) => b !== hostPeer)
    .flatMap(([a, b]) => [`${port(a)} . ${port(b)}`, `${port(b)} . ${port(a)}`]);
  const off = cuts.apart.filter(([, b]) => b === hostPeer).map(([a]) => port(a));
  return `table bridge ${table}
delete table bridge ${table}
table bridge ${table} {
${set("lost", "typeof meta iifname", lost)}
${set("apart", "typeof meta iifname . meta oifname", apart)}
${set("off_host", "typeof meta iifname", off)}
	chain forward {
		type filter hook forward priority 0; policy accept;
		meta iifname @lost counter drop
		meta oifname @lost counter drop
		meta iifname . meta oifname @apart counter drop
	}
	chain input {
		type filter hook input priority 0; policy accept;
		meta iifname @lost counter drop
		meta iifname @off_host counter drop
	}
	chain output {
		type filter hook output priority 0; policy accept;
		meta oifname @lost counter drop
		meta oifname @off_host counter drop
	}
}
`;
}

function set(name: string, type: string, elements: readonly string[]): string {
  const content = elements.length === 0 ? "" : `\n\t\telements = { ${elements.join(", ")} }`;
  return `\tset ${name} {\n\t\t${type}${content}\n\t}`;
}

/** Reads the cuts back from `nft --json list table bridge …`; ports of unknown machines are left out. */
export function parseCuts(cluster: string, json: string, machines: readonly string[]): Cuts {
  const names = new Map(machines.map((machine) => [portName(cluster, machine), machine]));
  const sets = new Map<string, unknown[]>();
  for (const { set } of parseNft(json)) {
    if (set !== undefined) sets.set(set.name, set.elem ?? []);
  }
  const named = (port: unknown): string | undefined =>
    typeof port === "string" ? names.get(port) : undefined;
  const apart: [string, string][] = [];
  for (const element of sets.get("apart") ?? []) {
    const [a, b] = ((element as { concat?: unknown[] }).concat ?? []).map(named);
    if (a !== undefined && b !== undefined && !apart.some((pair) => isPair(pair, a, b))) apart.push([a, b]);
  }
  for (const port of sets.get("off_host") ?? []) {
    const machine = named(port);
    if (machine !== undefined) apart.push([machine, hostPeer]);
  }
  const lost = (sets.get("lost") ?? []).map(named).filter((name) => name !== undefined);
  return { lost: new Set(lost), apart };
}

interface NftItem {
  readonly set?: { readonly name: string; readonly elem?: unknown[] };
  readonly chain?: { readonly policy?: string };
  readonly rule?: { readonly handle: number; readonly comment?: string };
}

function parseNft(json: string): readonly NftItem[] {
  return (JSON.parse(json) as { nftables: NftItem[] }).nftables;
}

/** Machines reach the world under the host's address; what comes back finds its way. */
export function outwardRules(cluster: string, subnet: string): string {
  const table = tableName(cluster);
  const bridge = bridgeName(cluster);
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr ${subnet} oifname != "${bridge}" masquerade
	}
}
`;
}

/** What marks the rules that stand in tables of others. */
function ruleMark(cluster: string): string {
  return `keelson ${cluster}`;
}

/**
 * Rules for a host whose own firewall drops what it forwards, as Docker's does: they let the cluster's
 * traffic pass. Nothing when the listed chain does not drop, or has the rules already.
 */
export function passRules(cluster: string, chainJson: string): string {
  const items = parseNft(chainJson);
  const drops = items.some(({ chain }) => chain?.policy === "drop");
  if (!drops || ownRules(cluster, items).length > 0) return "";
  const bridge = bridgeName(cluster);
  return ["iifname", "oifname"]
    .map(
      (side) => `insert rule ip filter FORWARD ${side} "${bridge}" accept comment "${ruleMark(cluster)}"\n`,
    )
    .join("");
}

/** Takes the rules of `passRules` out again. */
export function unpassRules(cluster: string, chainJson: string): string {
  return ownRules(cluster, parseNft(chainJson))
    .map((handle) => `delete rule ip filter FORWARD handle ${handle}\n`)
    .join("");
}

function ownRules(cluster: string, items: readonly NftItem[]): number[] {
  return items.flatMap(({ rule }) => (rule?.comment === ruleMark(cluster) ? [rule.handle] : []));
}

/** Removes both tables, whether they are there or not. */
export function removeRules(cluster: string): string {
  const table = tableName(cluster);
  return ["bridge", "ip"]
    .map((family) => `table ${family} ${table}\ndelete table ${family} ${table}\n`)
    .join("");
}

/** Whether an interface is a port of the cluster. */
export function isPortOf(cluster: string, name: string): boolean {
  return name.startsWith(`${portPrefix(cluster)}-`) || name.startsWith(`${portPrefix(cluster)}x`);
}
