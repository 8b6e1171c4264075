// What the agent must know of a unit's file before it starts it, and to report on it.
import {
  expandSpecifiers,
  imagesUsed,
  parseUnitName,
  publishedPorts,
  quadletReferences,
  serviceNameOf,
  UnitFile,
} from "@keelson/systemd";
import { readPlacement } from "../model/placement/read-placement.ts";
import type { HealthRules } from "../model/placement/rules.ts";
import { isSupporting } from "../model/unit-name.ts";
import { defaultWindowMs } from "./health/failure-log.ts";

export interface UnitFileFacts {
  /** systemd's unit that it becomes. */
  readonly service: string;
  /** Full names of images, with a tag or digest. */
  readonly images: readonly string[];
  /** It may run images that the file names in commands: `docker run NAME`. */
  readonly mentionsContainers: boolean;
  /** Other Quadlet files that must lie there first. */
  readonly references: readonly string[];
  /** Ports that are fixed in the file; "" for all addresses. */
  readonly fixedPorts: readonly { readonly address: string; readonly port: number }[];
  /** Podman chooses a port: it has to be asked. */
  readonly hasChosenPorts: boolean;
  readonly hasHealthCheck: boolean;
  /** Checks that the agent makes. */
  readonly health: HealthRules | undefined;
  /** How long a failure counts. */
  readonly failureWindowMs: number;
  /** When systemd has given it up it is tried again: not with Restart=no or MoveAfter=0 in the file. */
  readonly isRetried: boolean;
  /** It runs to its end: what becomes of it is its job's business. */
  readonly isBatch: boolean;
  /** Starting it starts a container. */
  readonly isContainer: boolean;
}

/** @throws SystemdError when the file cannot be read */
export function readUnitFile(name: string, body: string): UnitFileFacts {
  const file = UnitFile.parse(body, { file: name });
  const service = serviceNameOf(name, file);
  const expand = (value: string): string => expandSpecifiers(value, { unit: service });
  const { type } = parseUnitName(name);
  const ports = readPorts(file, expand);
  return {
    service,
    images: imagesUsed(name, file).flatMap(({ image }) => tried(() => withTag(expand(image))) ?? []),
    mentionsContainers: type === "service" && /\b(docker|podman)\b/.test(body),
    references: quadletReferences(name, file).map(({ target }) => target),
    fixedPorts: ports.flatMap(({ hostIp = "", hostPorts }) =>
      hostPorts === undefined ? [] : range(hostPorts).map((port) => ({ address: wildcard(hostIp), port })),
    ),
    hasChosenPorts: ports.some(({ hostPorts }) => hostPorts === undefined) || type === "kube",
    hasHealthCheck: file.has("Container", "HealthCmd") && file.get("Container", "HealthCmd") !== "none",
    ...readHealthFacts(name, file, body),
    isContainer: ["container", "pod", "kube"].includes(type),
  };
}

function readHealthFacts(name: string, file: UnitFile, body: string) {
  const rules = tried(() => readPlacement(name, body));
  const isBatch = rules?.batch !== undefined;
  const last = (section: string, key: string): string | undefined =>
    file.assignments(section, key).at(-1)?.value.trim();
  const isLeft = last("Service", "Restart") === "no" || /^0+$/.test(last("X-Keelson", "MoveAfter") ?? "");
  return {
    health: rules?.health,
    failureWindowMs: rules?.moveAfter?.withinMs ?? defaultWindowMs,
    isRetried: rules !== undefined && !isBatch && !isLeft && !isSupporting(name),
    isBatch,
  };
}

/** `localhost/hello` means `localhost/hello:latest`. */
export function withTag(image: string): string {
  const last = image.slice(image.lastIndexOf("/") + 1);
  return last.includes(":") || last.includes("@") ? image : `${image}:latest`;
}

function readPorts(file: UnitFile, expand: (value: string) => string) {
  return tried(() => publishedPorts(file, expand)) ?? [];
}

const range = ({ first, last }: { readonly first: number; readonly last: number }): number[] =>
  Array.from({ length: last - first + 1 }, (_, offset) => first + offset);

const wildcard = (address: string): string => (address === "0.0.0.0" || address === "::" ? "" : address);

/** A specifier that is not known here is podman's and systemd's business. */
function tried<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
