// Who has to stop because something that it requires (RequiresUnit=) is not wanted any more.
import type { Instance } from "./instances.ts";
import type { PlacementRules } from "./placement/rules.ts";
import { isTemplate, templateName } from "./unit-name.ts";

/** Instances by the names that dependencies use: their own, and their template's for all of a template's. */
export class NamedInstances {
  readonly #instances: ReadonlyMap<string, Instance>;
  /** Made when it is asked for. */
  #byTemplate: ReadonlyMap<string | undefined, readonly Instance[]> | undefined;

  constructor(instances: ReadonlyMap<string, Instance>) {
    this.#instances = instances;
  }

  /** Empty for a name that means none. */
  get(name: string): readonly Instance[] {
    const own = this.#instances.get(name);
    if (own !== undefined) return [own];
    if (!isTemplate(name)) return [];
    this.#byTemplate ??= Map.groupBy(this.#instances.values(), (one) => templateName(one.name));
    return this.#byTemplate.get(name) ?? [];
  }
}

export interface Requirer {
  readonly name: string;
  readonly rules: Pick<PlacementRules, "requiresUnits">;
}

/**
 * Those of the requirers that may not run, with the reason in words: something that they require is not to run, or
 * may not itself.
 */
export function barredRequirers(
  requirers: readonly Requirer[],
  instances: NamedInstances,
): Map<string, string> {
  const barred = new Map<string, string>();
  const causeOf = (required: string): string | undefined => {
    const wanted = instances.get(required).filter(({ desired }) => desired === "launched");
    if (wanted.length === 0) return `${required}, which it requires, is not wanted any more`;
    const stopped = wanted.find(({ name }) => barred.has(name));
    return stopped && `${stopped.name}, which it requires, stops`;
  };
  for (let before = -1; before < barred.size;) {
    before = barred.size;
    for (const { name, rules } of requirers) {
      if (barred.has(name)) continue;
      const [cause] = rules.requiresUnits.flatMap((required) => causeOf(required) ?? []);
      if (cause !== undefined) barred.set(name, cause);
    }
  }
  return barred;
}
