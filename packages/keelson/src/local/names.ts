// Every name that a local cluster uses on its host, made from the cluster's and the machine's name alone.
// Hence a cluster can be found and removed when nothing is left of the program that made it.
import { createHash } from "node:crypto";
import { KeelError } from "../base/errors.ts";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const clusterPattern = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
const machinePattern = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** Throws KEEL-104 unless the name can be a cluster's: letters, digits, hyphens, at most 40. */
export function checkClusterName(name: string): string {
  if (clusterPattern.test(name)) return name;
  throw new KeelError("KEEL-104", `"${name}" cannot name a cluster`, {
    hint: "use at most 40 of a-z, 0-9 and hyphens between them",
  });
}

/** Throws KEEL-104 unless the name can be a machine's: it becomes its host name. */
export function checkMachineName(name: string): string {
  if (machinePattern.test(name)) return name;
  throw new KeelError("KEEL-104", `"${name}" cannot name a machine`, {
    hint: "use at most 40 of a-z, 0-9 and hyphens between them, for example m4",
  });
}

function shortHash(text: string, length: number): string {
  const bytes = createHash("sha256").update(text).digest();
  let short = "";
  for (let i = 0; i < length; i++) short += alphabet[(bytes[i] ?? 0) % 32];
  return short;
}

/** Five characters that stand for the cluster where a name must be short. */
export function clusterTag(cluster: string): string {
  return shortHash(cluster, 5);
}

/** The bridge of the cluster: kn-1a2b3. */
export function bridgeName(cluster: string): string {
  return `kn-${clusterTag(cluster)}`;
}

/**
 * The bridge's hardware address. One that is not set follows the ports: it changes when a machine vanishes, and
 * the others go on sending to the old one until their neighbour entries run out.
 */
export function bridgeHardwareAddress(cluster: string): string {
  const bytes = createHash("sha256").update(`bridge ${cluster}`).digest().subarray(0, 5);
  return ["02", ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

/** What the bridge's alias says, so that a bridge without files still names its cluster. */
export function bridgeAlias(cluster: string): string {
  return `keelson:${cluster}`;
}

/** nspawn's name for the machine, at most 12 characters: k1a2b3-m1, or a hash of longer names. */
export function containerName(cluster: string, machine: string): string {
  const tag = clusterTag(cluster);
  return machine.length <= 5 ? `k${tag}-${machine}` : `k${tag}x${shortHash(machine, 5)}`;
}

/** The host's end of the machine's cable, as nspawn names it. At most 15 characters, the kernel's limit. */
export function portName(cluster: string, machine: string): string {
  return `vb-${containerName(cluster, machine)}`;
}

/** What the names of all ports of the cluster begin with. */
export function portPrefix(cluster: string): string {
  return `vb-k${clusterTag(cluster)}`;
}

/** The cluster's nft tables, one in the bridge family and one in ip. */
export function tableName(cluster: string): string {
  return `keelson_${clusterTag(cluster)}`;
}

/** The third byte of the subnet that the cluster would like: 10.205.N.0/24. */
export function preferredSubnet(cluster: string): number {
  return createHash("sha256").update(cluster).digest()[5] ?? 0;
}

/** Something that runs for a cluster and is contained as a whole. */
export interface ScopeName {
  readonly cluster: string;
  readonly kind: "machine" | "host";
  readonly name: string;
}

/** Where the scope lies in each cgroup hierarchy of a host without systemd. */
export function cgroupPath(scope: ScopeName): string {
  return `keelson/${scope.cluster}/${scope.kind}.${scope.name}`;
}

/** The scope's unit on a host with systemd. Cluster names have no dots, so a pattern cannot match too much. */
export function unitName(scope: ScopeName): string {
  return `keelson.${scope.cluster}.${scope.kind}.${scope.name}.service`;
}

/** The reverse of `unitName`; undefined for units that are none of ours. */
export function scopeOfUnit(unit: string): ScopeName | undefined {
  const match = /^keelson\.([^.]+)\.(machine|host)\.([^.]+)\.service$/.exec(unit);
  if (match?.[1] === undefined || match[3] === undefined) return undefined;
  return { cluster: match[1], kind: match[2] as ScopeName["kind"], name: match[3] };
}

/** The reverse of a scope's folder name below its cluster. */
export function scopeOfFolder(cluster: string, folder: string): ScopeName | undefined {
  const match = /^(machine|host)\.(.+)$/.exec(folder);
  if (match?.[2] === undefined) return undefined;
  return { cluster, kind: match[1] as ScopeName["kind"], name: match[2] };
}
