// What a virtual machine is told beyond what a container is: the names of its cables, who it is, and two files that
// a container has from the host. Text only.
import { createHash } from "node:crypto";
import { hostCableAddress } from "./virtual-machine.ts";

/** Where a machine keeps the names of its cluster; /etc/hosts is a link to it. */
export const hostsFile = "/var/lib/keelson/hosts";

/** Its name servers; /etc/resolv.conf is a link to it, and not to what the image says of the network. */
export const resolverFile = "/var/lib/keelson/resolv.conf";

/** The hardware address of a machine's cable, the same at every start: locally administered, from its names. */
export function hardwareAddress(cluster: string, machine: string, cable: "bridge" | "host"): string {
  const bytes = createHash("sha256").update(`${cable} ${cluster} ${machine}`).digest().subarray(0, 5);
  return ["02", ...Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

export interface IdentityFacts {
  readonly cluster: string;
  readonly name: string;
  readonly machineId: string;
  /** The cluster's hosts file, and its resolv.conf. */
  readonly hosts: string;
  readonly resolver: string;
}

/** systemd's credentials by name. `tmpfiles.extra` is to be added to the one that holds the host key. */
export function identityCredentials(facts: IdentityFacts): Readonly<Record<string, string>> {
  const address = (cable: "bridge" | "host"): string => hardwareAddress(facts.cluster, facts.name, cable);
  return {
    "network.link.50-host0": linkFile(address("bridge"), "host0"),
    "network.link.60-keel0": linkFile(address("host"), "keel0"),
    "network.network.60-keel0": hostCableFile,
    "system.hostname": facts.name,
    "system.machine_id": facts.machineId,
    "tmpfiles.extra": `L+ /etc/hosts - - - - ${hostsFile}
f~ ${hostsFile} 0644 root root - ${base64(facts.hosts)}
L+ /etc/resolv.conf - - - - ${resolverFile}
f+~ ${resolverFile} 0644 root root - ${base64(facts.resolver)}
`,
  };
}

function linkFile(hardware: string, name: string): string {
  return `[Match]
MACAddress=${hardware}

[Link]
Name=${name}
`;
}

/** The cable that only the host uses: no way out, no names, nothing that waits for it. */
const hostCableFile = `[Match]
Name=keel0

[Link]
RequiredForOnline=no

[Network]
Address=${hostCableAddress}/24
LinkLocalAddressing=no
IPv6AcceptRA=no
`;

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
