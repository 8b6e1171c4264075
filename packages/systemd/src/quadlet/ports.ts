import { SystemdError } from "../error.ts";
import type { Position } from "../unit-file/item.ts";
import type { UnitFile } from "../unit-file/unit-file.ts";

/** First and last port, both included; equal for a single port. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export type PortProtocol = "tcp" | "udp" | "sctp";

/** What one `PublishPort=` asks for. */
export interface PublishedPort {
  /** The host's address, without brackets; undefined for all addresses. */
  readonly hostIp: string | undefined;
  /** As long a range as the container's; undefined when podman is to choose a free port. */
  readonly hostPorts: PortRange | undefined;
  readonly containerPorts: PortRange;
  readonly protocol: PortProtocol;
}

/**
 * Reads `[[ip:][hostPort]:]containerPort[/protocol]`, where ports may be ranges `8000-8010` and an IPv6 address
 * stands in brackets. Specifiers must have been expanded.
 * @throws SystemdError `invalid-value`
 */
export function parsePublishedPort(text: string): PublishedPort {
  const refuse = (why: string): never => {
    throw new SystemdError("invalid-value", `${JSON.stringify(text)} is no published port: ${why}`, {
      offset: 0,
    });
  };
  const match = /^(?:(?:(\[[^\]]*\]|[^:[\]]*):)?([^:]*):)?([^:/]+)(?:\/(.*))?$/.exec(text);
  if (match === null) return refuse("write it as [[address:][hostPort]:]containerPort[/protocol]");
  const [, address, host, container = "", word = "tcp"] = match;
  const hostIp = address === undefined || address === "" ? undefined : address.replace(/^\[|\]$/g, "");
  if (hostIp !== undefined && !isAddress(hostIp, address?.startsWith("[") ?? false)) {
    return refuse(`${JSON.stringify(address)} is no address`);
  }
  const containerPorts = parseRange(container);
  if (containerPorts === undefined) return refuse(`${JSON.stringify(container)} is no port from 1 to 65535`);
  const hostPorts = host === undefined || host === "" ? undefined : parseRange(host);
  if (host !== undefined && host !== "" && hostPorts === undefined) {
    return refuse(`${JSON.stringify(host)} is no port from 1 to 65535`);
  }
  if (hostPorts !== undefined && length(hostPorts) !== length(containerPorts)) {
    return refuse("the two ranges of ports are not equally long");
  }
  const protocol = word.toLowerCase();
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    return refuse(`${JSON.stringify(word)} is no protocol; use tcp, udp or sctp`);
  }
  return { hostIp, hostPorts, containerPorts, protocol };
}

/** A published port with the place where it is written. */
export interface PlacedPort extends PublishedPort {
  readonly position: Position;
}

/**
 * All ports that a `.container`, `.pod` or `.kube` file publishes.
 * @param expand is applied to each value first: expands specifiers, if there are any
 * @throws SystemdError `invalid-value` with the position
 */
export function publishedPorts(
  file: UnitFile,
  expand: (value: string) => string = (value) => value,
): PlacedPort[] {
  return ["Container", "Pod", "Kube"].flatMap((section) =>
    file.listAssignments(section, "PublishPort").map((assignment) => ({
      ...file.read(assignment, (value) => parsePublishedPort(expand(value))),
      position: assignment.valuePosition,
    })),
  );
}

function parseRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last <= 65_535 && first <= last ? { first, last } : undefined;
}

const length = (range: PortRange): number => range.last - range.first + 1;

function isAddress(text: string, bracketed: boolean): boolean {
  if (bracketed) return /^[0-9A-Fa-f:.]+(?:%[\w.]+)?$/.test(text) && text.includes(":");
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}
