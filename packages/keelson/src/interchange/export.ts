// Units of the cluster as plain files that a machine without Keelson runs: systemd's own directory for services,
// Quadlet's for containers. What only a cluster can do has no equivalent, and is told.
import { isQuadletUnitType, quadletReferences, serviceNameOf, UnitFile } from "@keelson/systemd";
import { type PlacementRules, readPlacement } from "../model/placement/read-placement.ts";
import { isSupporting, isTemplate, replicaName, templateName } from "../model/unit-name.ts";

export interface UnitToExport {
  readonly name: string;
  readonly body: Uint8Array;
  /** Of a template: how many instances it has. */
  readonly replicas: number;
}

export interface ExportedFile {
  /** Where it goes, below the target directory: `containers/web.container`, `system/hello.service`. */
  readonly path: string;
  readonly text: string;
}

export interface Exported {
  readonly files: readonly ExportedFile[];
  /** Services to enable or start: `web.service`, `web@1.service`. */
  readonly services: readonly string[];
  readonly notes: readonly string[];
}

const ours = ["X-Fleet", "X-Keelson"];

/**
 * The files of these units and of those that they refer to. `find` looks a unit up by its name.
 * @throws KeelError KEEL-101 to KEEL-103 for a file that cannot be read
 */
export function exportUnits(
  units: readonly UnitToExport[],
  find: (name: string) => UnitToExport | undefined,
): Exported {
  const all = withReferences(units, find);
  const notes: string[] = [];
  const names = new Set(all.keys());
  const files: ExportedFile[] = [];
  const services: string[] = [];
  for (const unit of all.values()) {
    const rules = readPlacement(unit.name, unit.body);
    notes.push(...lossesOf(unit.name, rules));
    const text = plainText(unit, rules, names);
    for (const name of filesOf(unit)) files.push({ path: `${folderOf(name)}/${name}`, text });
    if (!isSupporting(unit.name)) services.push(...instancesOf(unit).map((name) => serviceNameOf(name)));
  }
  return { files, services, notes };
}

const typeOf = (name: string): string => name.slice(name.lastIndexOf(".") + 1);
const folderOf = (name: string): string => (isQuadletUnitType(typeOf(name)) ? "containers" : "system");

function withReferences(
  units: readonly UnitToExport[],
  find: (name: string) => UnitToExport | undefined,
): Map<string, UnitToExport> {
  const all = new Map<string, UnitToExport>();
  const open = [...units];
  for (let unit = open.pop(); unit !== undefined; unit = open.pop()) {
    if (all.has(unit.name)) continue;
    all.set(unit.name, unit);
    for (const { target } of quadletReferences(unit.name, UnitFile.parse(unit.body, { file: unit.name }))) {
      const other = find(target) ?? find(templateName(target) ?? target);
      if (other !== undefined) open.push(other);
    }
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function instancesOf({ name, replicas }: UnitToExport): string[] {
  if (!isTemplate(name)) return [name];
  return Array.from({ length: replicas }, (_, index) => replicaName(name, index + 1));
}

/** systemd makes instances from a template by itself; Quadlet wants a file for each. */
function filesOf(unit: UnitToExport): string[] {
  const instances = instancesOf(unit);
  return isQuadletUnitType(typeOf(unit.name)) && instances.length > 0 ? instances : [unit.name];
}

function plainText({ name, body }: UnitToExport, rules: PlacementRules, names: ReadonlySet<string>): string {
  let file = UnitFile.parse(body, { file: name });
  for (const section of ours) file = file.removeSection(section);
  for (const unit of rules.afterUnits.concat(rules.requiresUnits)) {
    if (names.has(unit) && !isTemplate(unit)) file = file.append("Unit", "After", serviceNameOf(unit));
  }
  for (const unit of rules.requiresUnits) {
    if (names.has(unit) && !isTemplate(unit)) file = file.append("Unit", "Requires", serviceNameOf(unit));
  }
  // What runs to its end is started by a timer or a person, and not by the machine's start.
  const startsAtBoot = !isSupporting(name) && rules.batch === undefined;
  if (startsAtBoot && !file.has("Install")) file = file.append("Install", "WantedBy", wantedBy(name));
  return file.toString();
}

function wantedBy(name: string): string {
  const targets: Readonly<Record<string, string>> = {
    timer: "timers.target",
    socket: "sockets.target",
    path: "paths.target",
  };
  return targets[typeOf(name)] ?? "multi-user.target";
}

function lossesOf(name: string, rules: PlacementRules): string[] {
  const losses: readonly (readonly [boolean, string])[] = [
    [
      rules.machine !== undefined || rules.metadata.size > 0 || rules.prefers.length > 0,
      "its choice of machines",
    ],
    [rules.conflicts.length > 0 || rules.spreadOver.length > 0, "being kept apart from other units"],
    [rules.global, "running on every machine"],
    [rules.replaces.length > 0, "Replaces="],
    [rules.health !== undefined, "the health check of [X-Keelson]"],
    [rules.batch !== undefined && rules.batch.retries > 0, "Retries="],
  ];
  const lost = losses.filter(([isLost]) => isLost).map(([, words]) => words);
  return [
    ...(lost.length === 0 ? [] : [`${name}: ${lost.join(", ")} has no equivalent on a single machine`]),
    ...rules.images
      .filter((image) => image.startsWith("localhost/"))
      .map((image) => `${name}: the image ${image} must be loaded there: podman load -i ARCHIVE`),
  ];
}
