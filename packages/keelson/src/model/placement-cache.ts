// Placement rules by the hash of the file, read once. Passed in by whoever schedules; holds no more than it is
// told to retain.
import { KeelError } from "../base/errors.ts";
import type { BodySource } from "./cluster.ts";
import { type PlacementRules, readPlacement } from "./placement.ts";

/** The rules; the error that reading them gave; `missing` when the body is not here. */
export type PlacementFinding = PlacementRules | KeelError | "missing";

export interface PlacementSource {
  rulesOf(hash: string, unit: string): PlacementFinding;
}

export class PlacementCache implements PlacementSource {
  readonly #bodies: BodySource;
  readonly #byHash = new Map<string, Map<string, PlacementRules | KeelError>>();

  constructor(bodies: BodySource) {
    this.#bodies = bodies;
  }

  rulesOf(hash: string, unit: string): PlacementFinding {
    const known = this.#byHash.get(hash)?.get(unit) ?? this.#byHash.get(hash)?.get(shared(unit));
    if (known !== undefined) return known;
    const body = this.#bodies(hash);
    if (body === undefined) return "missing";
    const rules = this.#read(unit, body);
    const byName = this.#byHash.get(hash) ?? new Map<string, PlacementRules | KeelError>();
    this.#byHash.set(hash, byName);
    byName.set(body.includes("%") ? unit : shared(unit), rules);
    return rules;
  }

  /** Drops what belongs to other bodies. */
  retain(hashes: ReadonlySet<string>): void {
    for (const hash of this.#byHash.keys()) {
      if (!hashes.has(hash)) this.#byHash.delete(hash);
    }
  }

  #read(unit: string, body: string): PlacementRules | KeelError {
    try {
      return readPlacement(unit, body);
    } catch (error) {
      if (error instanceof KeelError) return error;
      throw error;
    }
  }
}

/** Files without a percent sign say the same to all units of a kind: instances of a template share their rules.
 * The key begins with a star, which no unit name has. */
function shared(unit: string): string {
  const at = unit.indexOf("@");
  const type = unit.slice(unit.lastIndexOf("."));
  return `*${at < 0 ? "plain" : unit.charAt(at + 1) === "." && unit.endsWith(`@${type}`) ? "template" : "instance"}${type}`;
}
