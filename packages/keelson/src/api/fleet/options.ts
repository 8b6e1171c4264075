// Unit files as fleet carries them: a list of options, each with its section. The order of sections is that in
// which they appear first; a value keeps its continuation lines, backslash and line end included.
// See docs/protocols/fleet-v1.md.
import { createHash } from "node:crypto";
import { UnitFile } from "@keelson/systemd";
import { KeelError } from "../../base/errors.ts";

export interface FleetOption {
  readonly section: string;
  readonly name: string;
  readonly value: string;
}

/** The options of a unit file, comments left out. Throws SystemdError for what is no unit file. */
export function parseOptions(text: string): FleetOption[] {
  return UnitFile.parse(text)
    .assignments()
    .map(({ section, key, text: lines }) => ({ section, name: key, value: valueOf(lines) }));
}

/** What stands behind the equals sign, line ends as \n, without the white space around it. */
function valueOf(lines: string): string {
  const raw = lines.slice(lines.indexOf("=") + 1).replaceAll(/\r\n|\n\r|\r/g, "\n");
  const value = trimmed(raw);
  // A backslash before an empty line: without the line end it would take the next option in.
  return value.endsWith("\\") && /\\\n\s*$/.test(raw) ? `${value}\n` : value;
}

/** The unit file of a list of options: one part for each section. The empty list is the empty file. */
export function serialiseOptions(options: readonly FleetOption[]): string {
  const sections = Map.groupBy(options, ({ section }) => section);
  return [...sections]
    .map(([section, own]) => `[${section}]\n${own.map(({ name, value }) => `${name}=${value}\n`).join("")}`)
    .join("\n");
}

/** fleet's hash of a unit: SHA-1 of its options as a file. */
export function optionsHash(options: readonly FleetOption[]): string {
  return createHash("sha1").update(serialiseOptions(options)).digest("hex");
}

/**
 * The unit file of options that came from elsewhere.
 * @throws KeelError KEEL-581 when the file would not say the same, because a value holds a line of its own
 */
export function fileOfOptions(options: readonly FleetOption[]): string {
  const text = serialiseOptions(options);
  const sections = Map.groupBy(options, ({ section }) => section);
  const wanted = [...sections.values()].flat().map(trimmedOption);
  const found = readBack(text);
  const at = wanted.findIndex((option, index) => !isSame(option, found[index]));
  const bad = at < 0 ? found[wanted.length] : wanted[at];
  if (bad === undefined) return text;
  const where = `[${bad.section}] ${bad.name}`.slice(0, 200);
  throw new KeelError("KEEL-581", `${where} cannot be written as a line of a unit file`);
}

function readBack(text: string): FleetOption[] {
  try {
    return parseOptions(text);
  } catch (cause) {
    throw new KeelError("KEEL-581", `the options are no unit file: ${(cause as Error).message}`, { cause });
  }
}

const trimmed = (text: string): string => text.replaceAll(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");

const trimmedOption = ({ section, name, value }: FleetOption): FleetOption => ({
  section,
  name: trimmed(name),
  value: trimmed(value),
});

function isSame(one: FleetOption, other: FleetOption | undefined): boolean {
  return (
    other !== undefined &&
    one.section === other.section &&
    one.name === other.name &&
    one.value === trimmed(other.value)
  );
}
