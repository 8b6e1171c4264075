// Which units a selector means. What means nothing, or everything without saying so, is refused.
import { nearest } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";
import { parseGlob } from "../model/glob.ts";
import type { Selector } from "../model/operation.ts";
import type { Unit } from "../model/unit.ts";
import { isTemplate, runnableTypes, templateName } from "../model/unit-name.ts";

type Units = ReadonlyMap<string, Unit>;

/** A backslash alone makes no pattern: escaped unit names have it. */
const isPattern = (text: string): boolean => /[*?[]/.test(text);

/** What a name stands for: a unit, or an instance of a template that has no record of its own. */
export type Found =
  | { readonly kind: "unit"; readonly unit: Unit }
  | { readonly kind: "instance"; readonly name: string; readonly template: Unit; readonly replica: boolean };

/**
 * The units and instances that a selector means, each once, in the order of the names.
 * @throws KeelError KEEL-203 for nothing or everything, KEEL-501 with the nearest name, KEEL-104 when ambiguous
 */
export function resolveSelector(selector: Selector, units: Units): Found[] {
  if ("all" in selector) {
    if (units.size === 0) throw new KeelError("KEEL-203", "There are no units.");
    return [...units.values()].map((unit) => ({ kind: "unit", unit }));
  }
  if (selector.names.length === 0) throw new KeelError("KEEL-203", "No unit was named.");
  const found = new Map<string, Found>();
  const byPattern = new Set<string>();
  for (const name of selector.names) {
    const isExact = units.has(name) || !isPattern(name);
    for (const one of isExact ? [resolveName(name, units)] : resolvePattern(name, units)) {
      const key = one.kind === "unit" ? one.unit.name : one.name;
      found.set(key, one);
      if (!isExact) byPattern.add(key);
    }
  }
  if (byPattern.size > 0 && [...units.keys()].every((name) => byPattern.has(name))) {
    const patterns = selector.names.filter(isPattern).join(" ");
    throw new KeelError("KEEL-203", `${patterns} matches every one of the ${units.size} units.`, {
      hint: "Name the units, or say --all.",
    });
  }
  return [...found.values()];
}

/**
 * One name: exact, without its suffix, or of a template without its suffix or its @.
 * @throws KeelError KEEL-203 when empty, KEEL-501, KEEL-104 when several fit
 */
export function resolveName(name: string, units: Units): Found {
  if (name.trim() === "") throw new KeelError("KEEL-203", "An empty name names nothing.");
  const exact = units.get(name);
  if (exact !== undefined) return { kind: "unit", unit: exact };
  const candidates = [
    runnableTypes.map((type) => `${name}.${type}`),
    ...(name.includes("@") ? [] : [runnableTypes.map((type) => `${name}@.${type}`)]),
  ];
  for (const group of candidates) {
    const fitting = group.flatMap((candidate) => units.get(candidate) ?? []);
    if (fitting.length > 1) throw ambiguous(name, fitting);
    if (fitting[0] !== undefined) return { kind: "unit", unit: fitting[0] };
  }
  return resolveInstance(name, units) ?? refuseUnknown(name, units);
}

/** An instance without a record: `web@3.container` or `web@3`, of a template that is there. */
function resolveInstance(name: string, units: Units): Found | undefined {
  const isFull = units.has(templateName(name) ?? "");
  const full = isFull ? [name] : runnableTypes.map((type) => `${name}.${type}`);
  const fitting = full.flatMap((candidate): Extract<Found, { kind: "instance" }>[] => {
    const template = units.get(templateName(candidate) ?? "");
    if (template === undefined) return [];
    const number = candidate.slice(candidate.indexOf("@") + 1, candidate.lastIndexOf("."));
    const replica = /^[1-9]\d{0,5}$/.test(number) && Number(number) <= template.replicas;
    return [{ kind: "instance", name: candidate, template, replica }];
  });
  if (fitting.length > 1) {
    throw ambiguous(
      name,
      fitting.map(({ template }) => template),
    );
  }
  return fitting[0];
}

function resolvePattern(pattern: string, units: Units): Found[] {
  const glob = parseGlob(pattern);
  if (glob === undefined) throw new KeelError("KEEL-203", `${JSON.stringify(pattern)} is no pattern.`);
  const matching = [...units.values()].filter(({ name }) => glob.matches(name));
  if (matching.length === 0) throw new KeelError("KEEL-203", `${pattern} matches no unit.`);
  return matching.map((unit) => ({ kind: "unit", unit }));
}

function ambiguous(name: string, units: readonly Unit[]): KeelError {
  const names = units.map((unit) => unit.name);
  return new KeelError("KEEL-104", `${name} is ${names.join(" or ")}. Name the one that you mean.`, {
    details: { name, candidates: names },
  });
}

/** KEEL-501 with the nearest name. */
export function refuseUnknown(name: string, units: Units): never {
  const names = [...units.keys()];
  const stems = new Map(names.map((known) => [known.slice(0, known.lastIndexOf(".")), known]));
  const stem = nearest(name, stems.keys());
  const suggestion = nearest(name, names) ?? (stem === undefined ? undefined : stems.get(stem));
  throw new KeelError("KEEL-501", `There is no unit ${name}.`, {
    ...(suggestion === undefined ? {} : { hint: `Did you mean ${suggestion}?` }),
    details: { name, nearest: suggestion },
  });
}

/**
 * A template by its name: `web@.container`, `web@` or `web`.
 * @throws KeelError KEEL-501; KEEL-104 when it is no template
 */
export function resolveTemplate(name: string, units: Units): Unit {
  const shorthand = name.includes("@") ? [] : runnableTypes.map((type) => `${name}@.${type}`);
  const fitting = shorthand.flatMap((candidate) => units.get(candidate) ?? []);
  if (fitting.length > 1) throw ambiguous(name, fitting);
  if (fitting[0] !== undefined) return fitting[0];
  const found = resolveName(name, units);
  if (found.kind === "unit" && isTemplate(found.unit.name)) return found.unit;
  const actual = found.kind === "unit" ? found.unit.name : found.name;
  throw new KeelError("KEEL-104", `${actual} is no template: only templates such as NAME@.service scale.`);
}
