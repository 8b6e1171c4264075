// Placement rules by the hash of the file, read once. Passed in by whoever schedules; holds no more than it is
// told to retain.
import { KeelError } from "../../base/errors.ts";
import type { BodySource } from "../cluster.ts";
import { type PlacementRules, readPlacement } from "./read-placement.ts";

/** The rules; the error that reading them gave; `missing` when the body is not here. */
export type PlacementFinding = PlacementRules | KeelError | "missing";

export interface PlacementSource {
  rulesOf(hash: string, unit: string): PlacementFinding;
}

type Rules = PlacementRules | KeelError;

interface Known {
  /** By the unit's name, or by its kind when the file says the same to all units of the kind. */
  readonly byName: Map<string, Rules>;
  readonly body: string;
  readonly isOfEach: boolean;
}

export class PlacementCache implements PlacementSource {
  readonly #bodies: BodySource;
  readonly #known = new Map<string, Known>();

  constructor(bodies: BodySource) {
    this.#bodies = bodies;
  }

  rulesOf(hash: string, unit: string): PlacementFinding {
    const known = this.#known.get(hash) ?? this.#take(hash);
    if (known === undefined) return "missing";
    const name = known.isOfEach ? unit : shared(unit);
    const found = known.byName.get(name) ?? this.#read(unit, known.body);
    known.byName.set(name, found);
    return found;
  }

  /** Those of the hashes whose body has to be at hand for the next look. */
  unread(hashes: Iterable<string>): string[] {
    return [...new Set(hashes)].filter((hash) => !this.#known.has(hash));
  }

  /** Takes the body over from its source, which need not have it any longer. */
  take(hash: string): void {
    if (!this.#known.has(hash)) this.#take(hash);
  }

  /** Drops what belongs to other bodies. */
  retain(hashes: ReadonlySet<string>): void {
    for (const hash of this.#known.keys()) {
      if (!hashes.has(hash)) this.#known.delete(hash);
    }
  }

  #take(hash: string): Known | undefined {
    const body = this.#bodies(hash);
    if (body === undefined) return undefined;
    const known: Known = { body, byName: new Map(), isOfEach: body.includes("%") };
    this.#known.set(hash, known);
    return known;
  }

  #read(unit: string, body: string): Rules {
    try {
      return readPlacement(unit, body);
    } catch (error) {
      if (error instanceof KeelError) return error;
      // Whatever is the matter with one file, others have their rules.
      return new KeelError("KEEL-101", `${unit}: the file cannot be read`, { cause: error });
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
