// [X-Keelson]: what fleet had no option for. Every key is read here or refused.
import { isUnitName, nearest, type UnitFile, type UnitName } from "@keelson/systemd";
import { maxReplicas } from "../unit.ts";
import { readBatch } from "./batch.ts";
import { readHealth, readMoveAfter } from "./health.ts";
import { blankSeparatedParts, quotedParts, refuse, refuseUnknownKeys } from "./option.ts";
import { readResources } from "./resources.ts";
import type { PlacementRules } from "./rules.ts";
import { readUpdate } from "./update.ts";
import { booleanOf, only, oneOf, wholeNumber } from "./value.ts";

export const section = "X-Keelson";
export const keelsonKeys = [
  "Replicas",
  "OnPartition",
  "Owner",
  "SpreadOver",
  "Prefer",
  "MemoryRequest",
  "CPURequest",
  "Priority",
  "Preempt",
  "HealthCmd",
  "HealthHTTP",
  "HealthTCP",
  "HealthInterval",
  "HealthTimeout",
  "HealthRetries",
  "HealthStartPeriod",
  "HealthOnFailure",
  "MoveAfter",
  "MoveWithin",
  "MaxUnavailable",
  "MaxSurge",
  "UpdateHealthyFor",
  "UpdateTimeout",
  "UpdateOnFailure",
  "AfterUnit",
  "RequiresUnit",
  "Retries",
  "RetryDelay",
] as const;
export type KeelsonKey = (typeof keelsonKeys)[number];

export interface KeelsonContext {
  readonly name: UnitName;
  readonly global: boolean;
  /** fleet's specifiers. */
  readonly expand: (text: string) => string;
}

type FleetFields =
  | "machine"
  | "metadata"
  | "machineOf"
  | "conflicts"
  | "replaces"
  | "global"
  | "hostPorts"
  | "timer"
  | "references"
  | "pod"
  | "images";
type KeelsonRules = Omit<PlacementRules, FleetFields>;

/** @throws KeelError KEEL-102 */
export function readKeelsonSection(file: UnitFile, context: KeelsonContext): KeelsonRules {
  refuseUnknownKeys(file, section, keelsonKeys);
  const { global } = context;
  const replicas = readReplicas(file, context);
  return {
    onPartition: oneOf(file, { section, key: "OnPartition" }, ["stop", "keep"]) ?? (global ? "keep" : "stop"),
    replicas,
    owner: readOwner(file),
    spreadOver: readSpreadOver(file, context),
    prefers: readPreferences(file, context),
    resources: readResources(file),
    priority: wholeNumber(file, { section, key: "Priority" }, { least: -1000, most: 1000 }) ?? 0,
    preempts: booleanOf(file, { section, key: "Preempt" }) ?? false,
    health: readHealth(file, context),
    moveAfter: readMoveAfter(file, context),
    update: readUpdate(file, context),
    afterUnits: readUnits(file, "AfterUnit", context),
    requiresUnits: readUnits(file, "RequiresUnit", context),
    batch: readBatch(file),
  };
}

/** A section whose name is nearly one of ours would be ignored in silence by everyone. */
export function refuseSimilarSections(file: UnitFile): void {
  const ours = ["X-Fleet", section];
  for (const name of file.sections()) {
    const meant = nearest(name, ours);
    if (!name.startsWith("X-") || ours.includes(name) || meant === undefined) continue;
    const position = file.sectionPosition(name) ?? { line: 1, column: 1 };
    refuse(`[${name}] is no section of Keelson’s`, { file, position, nearest: `[${meant}]` });
  }
}

function readReplicas(file: UnitFile, { name, global }: KeelsonContext): number | undefined {
  const option = { section, key: "Replicas" };
  const given = only(file, option);
  if (given === undefined) return undefined;
  const { position } = given;
  if (name.kind === "plain") {
    const hint = "Name the file NAME@.TYPE, then NAME@1.TYPE, NAME@2.TYPE … are made from it.";
    refuse("Replicas= is for templates", { file, position, hint });
  }
  if (global) refuse("Replicas= and Global= exclude each other", { file, position });
  return wholeNumber(file, option, { least: 0, most: maxReplicas });
}

function readOwner(file: UnitFile): string | undefined {
  const given = only(file, { section, key: "Owner" });
  if (given === undefined) return undefined;
  if (given.value !== "" && given.value.length <= 200) return given.value;
  return refuse("Owner= takes 1 to 200 characters", { file, position: given.valuePosition });
}

function readSpreadOver(file: UnitFile, { name, global }: KeelsonContext): string[] {
  const given = file.assignments(section, "SpreadOver");
  const position = given[0]?.position;
  if (position !== undefined && (name.kind === "plain" || global))
    refuse("SpreadOver= is for the replicas of templates", { file, position });
  return given.flatMap((assignment) => blankSeparatedParts(file, assignment).map(({ text }) => text));
}

function readPreferences(file: UnitFile, { expand }: KeelsonContext): PlacementRules["prefers"] {
  return file.assignments(section, "Prefer").flatMap((assignment) =>
    quotedParts(file, assignment).map(({ text, position }) => {
      const [key = "", value = "", ...more] = expand(text).split("=");
      if (key !== "" && value !== "" && more.length === 0) return { key, value };
      const hint = 'Write KEY=VALUE; several on one line each in double quotes: "disk=ssd" "zone=a".';
      return refuse(`Prefer: ${JSON.stringify(text)} is not KEY=VALUE`, { file, position, hint });
    }),
  );
}

function readUnits(file: UnitFile, key: KeelsonKey, { name, expand }: KeelsonContext): string[] {
  // Of a template read as its instance 1: that one.
  const own = expand("%n");
  const names = file.assignments(section, key).flatMap((assignment) =>
    blankSeparatedParts(file, assignment).map(({ text, position }) => {
      const unit = expand(text);
      if (!isUnitName(unit)) refuse(`${key}: ${JSON.stringify(text)} is no unit name`, { file, position });
      if (unit === name.name || unit === own) refuse(`${key}= names the unit itself`, { file, position });
      return unit;
    }),
  );
  return [...new Set(names)];
}
