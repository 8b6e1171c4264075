// What a unit file says about where it may run: [X-Fleet] with the original's options, [X-Keelson], host ports
// and references to other files. The scheduler, the safeguards and the agent read it through this.
// Invariant: nothing is accepted that has no effect; an option that cannot be read is an error with its place.
import {
  expandSpecifiers,
  imagesUsed,
  publishedPorts,
  quadletReferences,
  SystemdError,
  UnitFile,
  type UnitName,
} from "@keelson/systemd";
import { KeelError } from "../../base/errors.ts";
import { readFleetSection } from "./fleet-section.ts";
import { readKeelsonSection, refuseSimilarSections } from "./keelson-section.ts";
import type { HostPort, PlacementRules } from "./rules.ts";
import { readTimer } from "./timer.ts";
import { readUnitName, replicaName } from "../unit-name.ts";

export type { HostPort, PlacementRules } from "./rules.ts";

/**
 * Reads the placement of a unit from its file. A template is read as its instance 1.
 * @param name the unit's own name: an instance's for the file of its template
 * @throws KeelError KEEL-101 for the file itself, KEEL-102 for an option ({file, line, column, nearest}), KEEL-103
 */
export function readPlacement(name: string, body: string | Uint8Array): PlacementRules {
  const parsed = readUnitName(name);
  const instance = parsed.kind === "template" ? readUnitName(replicaName(name, 1)) : parsed;
  return asUnitFileErrors(name, () => {
    const file = UnitFile.parse(body, { file: name });
    refuseSimilarSections(file);
    const fleet = readFleetSection(file, fleetSpecifiers(instance));
    const context = { name: parsed, global: fleet.global, expand: fleetSpecifiers(instance) };
    const keelson = readKeelsonSection(file, context);
    const references = quadletReferences(name, file);
    return {
      ...fleet,
      ...keelson,
      timer: readTimer(file, instance),
      hostPorts: hostPorts(file, instance.name),
      references: unique(references.filter(({ type }) => type !== "pod").map(({ target }) => target)),
      pod: references.find(({ type }) => type === "pod")?.target,
      images: unique(imagesUsed(name, file).map(({ image }) => image)),
    };
  });
}

/** fleet's four specifiers, replaced as they stand; anything else that follows a percent sign is left. */
function fleetSpecifiers({ name, type, prefix, instance }: UnitName): (text: string) => string {
  const values: Readonly<Record<string, string>> = {
    n: name,
    N: name.slice(0, -type.length - 1),
    p: prefix,
    i: instance ?? "",
  };
  return (text) => text.replace(/%([nNpi])/g, (_, letter: string) => values[letter] ?? "");
}

/** Ports with a specifier whose value only the machine knows claim nothing. */
function hostPorts(file: UnitFile, unit: string): HostPort[] {
  const expand = (value: string): string => {
    try {
      return expandSpecifiers(value, { unit });
    } catch (error) {
      if (error instanceof SystemdError && error.code === "unknown-specifier") return "1";
      throw error;
    }
  };
  return publishedPorts(file, expand).flatMap(({ hostIp, hostPorts, protocol }) => {
    if (hostPorts === undefined) return [];
    const address = hostIp === "0.0.0.0" || hostIp === "::" ? undefined : hostIp;
    return [{ ...hostPorts, protocol, address }];
  });
}

function asUnitFileErrors<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof SystemdError)) throw cause;
    const { position, message } = cause;
    const where = { file: name, line: position?.line, column: position?.column };
    throw new KeelError("KEEL-101", message, { cause, details: where });
  }
}

const unique = (texts: readonly string[]): string[] => [...new Set(texts)];
