// [X-Keelson]: what fleet had no option for. Every key is read here or refused.
import { type Assignment, nearest, type UnitFile, type UnitName } from "@keelson/systemd";
import type { PlacementRules } from "./placement-rules.ts";
import { refuse, refuseUnknownKeys } from "./placement-option.ts";
import { maxReplicas } from "./unit.ts";

const section = "X-Keelson";
const known = ["Replicas", "OnPartition", "Owner"] as const;

export interface KeelsonContext {
  readonly kind: UnitName["kind"];
  readonly global: boolean;
}

type KeelsonRules = Pick<PlacementRules, "onPartition" | "replicas" | "owner">;

/** @throws KeelError KEEL-102 */
export function readKeelsonSection(file: UnitFile, { kind, global }: KeelsonContext): KeelsonRules {
  refuseUnknownKeys(file, section, known);
  return {
    onPartition: readOnPartition(file) ?? (global ? "keep" : "stop"),
    replicas: readReplicas(file, { kind, global }),
    owner: readOwner(file),
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

function readOnPartition(file: UnitFile): "stop" | "keep" | undefined {
  const given = only(file, "OnPartition");
  if (given === undefined) return undefined;
  const { value, valuePosition: position } = given;
  if (value === "stop" || value === "keep") return value;
  return refuse(`OnPartition=${value} is neither stop nor keep`, {
    file,
    position,
    nearest: nearest(value, ["stop", "keep"]),
  });
}

function readReplicas(file: UnitFile, { kind, global }: KeelsonContext): number | undefined {
  const given = only(file, "Replicas");
  if (given === undefined) return undefined;
  const { value, valuePosition, position } = given;
  if (kind === "plain") {
    const hint = "Name the file NAME@.TYPE, then NAME@1.TYPE, NAME@2.TYPE … are made from it.";
    refuse("Replicas= is for templates", { file, position, hint });
  }
  if (global) refuse("Replicas= and Global= exclude each other", { file, position });
  const replicas = /^\d{1,6}$/.test(value) ? Number(value) : -1;
  if (replicas >= 0 && replicas <= maxReplicas) return replicas;
  return refuse(`Replicas=${value} is no number from 0 to ${maxReplicas}`, { file, position: valuePosition });
}

function readOwner(file: UnitFile): string | undefined {
  const given = only(file, "Owner");
  if (given === undefined) return undefined;
  if (given.value !== "" && given.value.length <= 200) return given.value;
  return refuse("Owner= takes 1 to 200 characters", { file, position: given.valuePosition });
}

function only(file: UnitFile, key: (typeof known)[number]): Assignment | undefined {
  const [first, second] = file.assignments(section, key);
  if (second !== undefined) refuse(`${key}= is given twice`, { file, position: second.position });
  return first;
}
