import { quadletSections } from "./service-name.ts";
import { isQuadletUnitType, parseUnitName, type QuadletUnitType } from "../name/unit-name.ts";
import type { Assignment, Position } from "../unit-file/item.ts";
import type { UnitFile } from "../unit-file/unit-file.ts";
import { readMount } from "./mount.ts";
import { quadletValue, unquoted } from "./value.ts";

/** One Quadlet file's mention of another, `Volume=data.volume:/data` for instance. */
export interface QuadletReference {
  /** The key that mentions it. */
  readonly key: string;
  /** The other file's name, `data.volume`. Specifiers in it are not expanded: podman does not do it either. */
  readonly target: string;
  readonly type: QuadletUnitType;
  /** Of the value that mentions it. */
  readonly position: Position;
}

type TargetOf = (value: string) => string | undefined;

const whole: TargetOf = unquoted;
const beforeColon: TargetOf = (value) => value.split(":", 1)[0];
const mountSource: TargetOf = (value) => {
  const { type, source } = readMount(value);
  return type === undefined || type === "tmpfs" ? undefined : source;
};

interface Rule {
  readonly key: string;
  readonly targetOf: TargetOf;
  readonly types: readonly QuadletUnitType[];
  /** Whether each assignment counts, or only the last. */
  readonly isList: boolean;
}

const IMAGE: Rule = { key: "Image", targetOf: whole, types: ["image", "build"], isList: false };
const VOLUME: Rule = { key: "Volume", targetOf: beforeColon, types: ["volume"], isList: true };
const NETWORK: Rule = {
  key: "Network",
  targetOf: beforeColon,
  types: ["network", "container"],
  isList: true,
};
const POD: Rule = { key: "Pod", targetOf: whole, types: ["pod"], isList: false };
const MOUNT: Rule = {
  key: "Mount",
  targetOf: mountSource,
  types: ["volume", "image", "build"],
  isList: true,
};

const RULES: Readonly<Record<QuadletUnitType, readonly Rule[]>> = {
  container: [IMAGE, VOLUME, NETWORK, POD, MOUNT],
  pod: [VOLUME, NETWORK],
  kube: [NETWORK],
  volume: [IMAGE],
  build: [VOLUME, NETWORK],
  network: [],
  image: [],
};

/**
 * The other Quadlet files that this one needs in order to be generated; podman 5.4 refuses a file whose
 * references are not among the files it reads.
 * @throws SystemdError `invalid-name` if `name` is no unit name; other kinds of units have no references
 */
export function quadletReferences(name: string, file: UnitFile): QuadletReference[] {
  const { type } = parseUnitName(name);
  if (!isQuadletUnitType(type)) return [];
  const section = quadletSections[type];
  if (type === "volume" && quadletValue(file, section, "Driver") !== "image") return [];
  return RULES[type].flatMap((rule) => {
    const all = file.listAssignments(section, rule.key);
    return (rule.isList ? all : all.slice(-1)).flatMap((assignment) => referenceIn(assignment, rule));
  });
}

function referenceIn(assignment: Assignment, rule: Rule): QuadletReference[] {
  const target = rule.targetOf(assignment.value) ?? "";
  const type = target.slice(target.lastIndexOf(".") + 1);
  if (!isQuadletUnitType(type) || !rule.types.includes(type) || target.startsWith("/")) return [];
  return [{ key: assignment.key, target, type, position: assignment.valuePosition }];
}
