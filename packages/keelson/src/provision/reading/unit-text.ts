import { UnitFile } from "@keelson/systemd";
import type { Field } from "./field.ts";

/** A unit file or a part of one, parsed once so that an error has a place. Ends with a line's end. */
export function readUnitText(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  try {
    UnitFile.parse(Buffer.from(text));
  } catch (error) {
    const [reason = ""] = error instanceof Error ? error.message.split("\n", 1) : [];
    return field.error(`is no unit file: ${reason.slice(0, 200)}`, "Correct the unit file.");
  }
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
