// Names of what Keelson runs: systemd's names, of the types that run on a machine on somebody's order.
import {
  isQuadletUnitType,
  nearest,
  parseUnitName,
  quadletUnitTypes,
  SystemdError,
  type UnitName,
} from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";

/** The suffixes of units that Keelson takes, without the dot. */
export const runnableTypes: readonly string[] = [
  "service",
  "socket",
  "timer",
  "path",
  "mount",
  ...quadletUnitTypes,
];

/** Files that only serve others: nothing of them runs, so they weigh nothing and may lie on several machines. */
const supportingTypes: readonly string[] = ["volume", "network", "build", "image"];

/** @throws KeelError KEEL-103 with what is wrong and the nearest type */
export function readUnitName(name: string): UnitName {
  let parsed: UnitName;
  try {
    parsed = parseUnitName(name);
  } catch (cause) {
    if (!(cause instanceof SystemdError)) throw cause;
    throw new KeelError("KEEL-103", cause.reason, { cause, ...typeHint(name) });
  }
  if (runnableTypes.includes(parsed.type)) return parsed;
  const reason = `${JSON.stringify(name)}: Keelson runs no units of type .${parsed.type}`;
  throw new KeelError("KEEL-103", reason, typeHint(name));
}

function typeHint(name: string): { hint: string; details: Readonly<Record<string, unknown>> } {
  const type = name.slice(name.lastIndexOf(".") + 1);
  const suggestion = nearest(type, runnableTypes);
  const known = `The types are ${runnableTypes.map((known) => `.${known}`).join(" ")}`;
  return {
    hint: suggestion === undefined || suggestion === type ? known : `Did you mean .${suggestion}? ${known}`,
    details: { name, nearest: suggestion },
  };
}

/** Whether the name is one of a template, such as `web@.container`. For names that have been read before. */
export const isTemplate = (name: string): boolean =>
  name.includes("@.") && name.indexOf("@") === name.lastIndexOf("@.");

/** `web@.container` and 3 give `web@3.container`. For templates whose name has been read before. */
export function replicaName(template: string, number: number): string {
  const at = template.lastIndexOf("@.");
  return `${template.slice(0, at + 1)}${number}${template.slice(at + 1)}`;
}

/** The template of `web@3.container`, `web@.container`; `undefined` for other names. */
export function templateName(name: string): string | undefined {
  const at = name.indexOf("@");
  const dot = name.lastIndexOf(".");
  return at > 0 && dot > at + 1 ? `${name.slice(0, at + 1)}${name.slice(dot)}` : undefined;
}

/** Whether the unit's type only serves other units: a volume, a network, an image or its build. */
export const isSupporting = (name: string): boolean =>
  supportingTypes.includes(name.slice(name.lastIndexOf(".") + 1));

export const isQuadlet = (name: string): boolean => isQuadletUnitType(name.slice(name.lastIndexOf(".") + 1));

/** Orders names as people count: web@2 before web@10. */
export function compareNames(a: string, b: string): number {
  let i = 0;
  const shorter = Math.min(a.length, b.length);
  while (i < shorter && a.charCodeAt(i) === b.charCodeAt(i)) i += 1;
  const left = numberAround(a, i);
  const right = numberAround(b, i);
  if (left !== undefined && right !== undefined && left !== right) return left - right;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The number whose digits stand around the position at which two names part. */
function numberAround(name: string, at: number): number | undefined {
  let start = at;
  while (start > 0 && isDigit(name.charCodeAt(start - 1))) start -= 1;
  let end = start;
  while (end < name.length && isDigit(name.charCodeAt(end))) end += 1;
  return end > start && end - start < 16 ? Number(name.slice(start, end)) : undefined;
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
