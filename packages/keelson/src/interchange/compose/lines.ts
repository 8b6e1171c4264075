// The sections of a unit file while it is put together.
import { UnitFile } from "@keelson/systemd";
import { KeelError } from "../../base/errors.ts";

const order = [
  "Unit",
  "Container",
  "Volume",
  "Network",
  "Service",
  "X-Fleet",
  "X-Keelson",
  "Install",
] as const;
export type Section = (typeof order)[number];

export class Lines {
  readonly #sections = new Map<Section, (readonly [key: string, value: string])[]>();
  readonly #path: string;

  /** @param path where the values come from, for errors */
  constructor(path: string) {
    this.#path = path;
  }

  /** Adds the value; nothing for `undefined`. @throws KeelError KEEL-108 for a value of several lines */
  add(section: Section, key: string, value: string | number | undefined): void {
    if (value === undefined) return;
    const text = String(value);
    if (/[\r\n]/.test(text) || text.endsWith("\\") || text !== text.trim() || text === "")
      throw new KeelError("KEEL-108", `${this.#path}: ${JSON.stringify(text)} cannot be written as ${key}=`);
    const lines = this.#sections.get(section) ?? [];
    lines.push([key, text]);
    this.#sections.set(section, lines);
  }

  toString(): string {
    const sections = order.flatMap((name) => {
      const lines = this.#sections.get(name);
      return lines === undefined ? [] : [[name, lines] as const];
    });
    return UnitFile.build(sections).toString();
  }
}
