// [X-Fleet]: the options of fleet 1.0 with their meaning, read strictly.
import type { Assignment, UnitFile } from "@keelson/systemd";
import { isUnitName } from "@keelson/systemd";
import { type Glob, parseGlob } from "../glob.ts";
import type { PlacementRules } from "./rules.ts";
import {
  blankSeparatedParts,
  booleanValue,
  type PlacedText,
  quotedParts,
  refuse,
  refuseUnknownKeys,
} from "./option.ts";

const section = "X-Fleet";

/** Every way to write an option: its own name, then the ones that fleet had given up. */
const spellings = {
  MachineID: ["MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID"],
  MachineOf: ["MachineOf", "X-ConditionMachineOf"],
  MachineMetadata: ["MachineMetadata", "X-ConditionMachineMetadata"],
  Conflicts: ["Conflicts", "X-Conflicts"],
  Global: ["Global"],
  Replaces: ["Replaces"],
} as const;
type Option = keyof typeof spellings;

/** Options that contradict each other, as fleet held it. */
const exclusions: readonly (readonly [Option, readonly Option[]])[] = [
  ["MachineID", ["MachineOf", "Conflicts", "Global", "Replaces"]],
  ["Global", ["MachineOf", "Replaces"]],
  ["Replaces", ["Conflicts"]],
];

type FleetRules = Pick<
  PlacementRules,
  "machine" | "metadata" | "machineOf" | "conflicts" | "replaces" | "global"
>;

/** @throws KeelError KEEL-102 */
export function readFleetSection(file: UnitFile, expand: (text: string) => string): FleetRules {
  refuseUnknownKeys(file, section, Object.values(spellings).flat());
  const given = (option: Option): Assignment[] =>
    file.assignments(section).filter(({ key }) => (spellings[option] as readonly string[]).includes(key));
  const parts = (option: Option, split: typeof quotedParts): PlacedText[] =>
    given(option).flatMap((assignment) =>
      split(file, assignment).map(({ text, position }) => ({ text: expand(text), position })),
    );
  const global =
    given("Global")
      .map((assignment) => booleanValue(file, assignment))
      .at(-1) ?? false;
  refuseExclusions(file, (option) => (option === "Global" && !global ? [] : given(option)));
  const rules = {
    machine: readMachine(file, parts("MachineID", quotedParts)),
    metadata: readMetadata(file, parts("MachineMetadata", quotedParts)),
    machineOf: readPeers(file, parts("MachineOf", blankSeparatedParts)),
    conflicts: readGlobs(file, parts("Conflicts", blankSeparatedParts)),
    replaces: readGlobs(file, parts("Replaces", blankSeparatedParts)),
    global,
  };
  refuseContradictions(file, rules, parts("MachineOf", blankSeparatedParts));
  return rules;
}

/** The first value counts, as it did in fleet; a second one that says something else is refused. */
function readMachine(file: UnitFile, values: readonly PlacedText[]): string | undefined {
  const first = values[0]?.text;
  for (const { text, position } of values) {
    if (/\s/.test(text)) refuse(`MachineID=${text} is no machine`, { file, position });
    if (text !== first) refuse(`MachineID= names a second machine, ${text}`, { file, position });
  }
  return first;
}

function readMetadata(file: UnitFile, pairs: readonly PlacedText[]): Map<string, string[]> {
  const metadata = new Map<string, string[]>();
  for (const { text, position } of pairs) {
    const [key = "", value = "", ...more] = text.split("=");
    if (key === "" || value === "" || more.length > 0) {
      const hint = 'Write KEY=VALUE; several on one line each in double quotes: "region=eu" "disk=ssd".';
      refuse(`MachineMetadata: ${JSON.stringify(text)} is not KEY=VALUE`, { file, position, hint });
    }
    metadata.set(key, [...(metadata.get(key) ?? []), value]);
  }
  return metadata;
}

function readPeers(file: UnitFile, names: readonly PlacedText[]): string[] {
  for (const { text, position } of names) {
    if (!isUnitName(text)) refuse(`MachineOf: ${JSON.stringify(text)} is no unit name`, { file, position });
  }
  return [...new Set(names.map(({ text }) => text))];
}

function readGlobs(file: UnitFile, patterns: readonly PlacedText[]): Glob[] {
  return patterns.map(
    ({ text, position }) =>
      parseGlob(text) ?? refuse(`${JSON.stringify(text)} is no pattern`, { file, position }),
  );
}

function refuseExclusions(file: UnitFile, given: (option: Option) => readonly Assignment[]): void {
  for (const [option, others] of exclusions) {
    const first = given(option)[0];
    if (first === undefined) continue;
    for (const second of others.flatMap((other) => given(other))) {
      const later = second.position.line > first.position.line ? second : first;
      const message = `${first.key}= and ${second.key}= exclude each other`;
      refuse(message, { file, position: later.position });
    }
  }
}

function refuseContradictions(file: UnitFile, rules: FleetRules, peers: readonly PlacedText[]): void {
  for (const { text, position } of peers) {
    const against = [...rules.conflicts, ...rules.replaces].find((glob) => glob.matches(text));
    if (against === undefined) continue;
    refuse(`MachineOf=${text} is excluded by the pattern ${against.pattern}`, { file, position });
  }
}
