import type { UnitFile } from "../unit-file/unit-file.ts";

/** podman takes one pair of double quotes off a value of which only the last counts; not off values of lists. */
export function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** The last value of a key as podman reads it; undefined if it is missing or empty. */
export function quadletValue(file: UnitFile, section: string, key: string): string | undefined {
  const value = unquoted(file.get(section, key) ?? "");
  return value === "" ? undefined : value;
}
