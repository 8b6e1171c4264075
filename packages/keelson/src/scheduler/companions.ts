// Files that others refer to follow them: each machine has the volumes, networks, images and pods that its units
// name, written and not started by themselves.
import { KeelError } from "../base/errors.ts";
import type { PlacementRules } from "../model/placement/read-placement.ts";
import type { Unit } from "../model/unit.ts";
import { templateName } from "../model/unit-name.ts";
import { versionOf } from "../model/version-of.ts";
import type { Board, Site } from "./board/board.ts";
import type { Scene } from "./schedule.ts";

/** A file that the rules refer to and that the cluster does not have. */
export function missingFile(
  { references, pod }: PlacementRules,
  units: ReadonlyMap<string, Unit>,
): string | undefined {
  return filesOf({ references, pod }).find((name) => companionOf(name, units) === undefined);
}

export function planCompanions(scene: Scene, board: Board): void {
  for (const site of board.sites()) planSite(site, scene);
  for (const [machine, entries] of scene.snapshot.schedule) {
    const departure = scene.departures.machines.get(machine);
    if (departure === undefined) continue;
    const serves = [...entries.values()].some(
      ({ unit, companion }) => !companion && scene.ledger.touches(machine, unit) !== "remove",
    );
    for (const { unit, companion } of entries.values()) {
      if (companion && (departure.removed || !serves)) {
        scene.ledger.remove(machine, unit, "nothing there refers to it any more");
      }
    }
  }
}

function planSite(site: Site, { snapshot, placements, facts, ledger }: Scene): void {
  const machine = site.machine.id;
  const entries = snapshot.schedule.get(machine);
  const hashOf = (unit: Unit, name: string): string => versionOf(unit, { name, machine }, snapshot);
  const needed = neededBy(site, snapshot.units, (unit, name) => placements.rulesOf(hashOf(unit, name), name));
  for (const [name, { unit, by }] of needed) {
    const entry = entries?.get(name);
    const hash = hashOf(unit, name);
    if (entry?.companion && entry.hash === hash && entry.restarts === unit.restarts) continue;
    ledger.put(machine, {
      unit: name,
      hash,
      desired: "loaded",
      restarts: unit.restarts,
      onPartition: "keep",
      companion: true,
      fence: facts.fence,
      placed: facts.wallMs,
      because: `${by} refers to it`,
    });
  }
  // What still stops here may refer to them.
  if (entries === undefined || site.stopping.size > 0) return;
  for (const { unit, companion } of entries.values()) {
    if (!companion || needed.has(unit) || site.units.has(unit)) continue;
    ledger.remove(machine, unit, "nothing here refers to it any more");
  }
}

interface Companion {
  readonly unit: Unit;
  /** The file that refers to it. */
  readonly by: string;
}

function neededBy(
  site: Site,
  units: ReadonlyMap<string, Unit>,
  rulesOf: (unit: Unit, name: string) => PlacementRules | KeelError | "missing",
): Map<string, Companion> {
  const needed = new Map<string, Companion>();
  const open: { readonly by: string; readonly rules: PlacementRules }[] = [];
  for (const { name, rules } of site.units.values()) {
    if (rules.references.length > 0 || rules.pod !== undefined) open.push({ by: name, rules });
  }
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { by, rules } = next;
    for (const name of filesOf(rules)) {
      const unit = companionOf(name, units);
      if (unit === undefined || needed.has(name) || site.units.has(name)) continue;
      needed.set(name, { unit, by });
      const found = rulesOf(unit, name);
      if (found !== "missing" && !(found instanceof KeelError)) open.push({ by: name, rules: found });
    }
  }
  return needed;
}

const filesOf = ({ references, pod }: Pick<PlacementRules, "references" | "pod">): readonly string[] =>
  pod === undefined ? references : [...references, pod];

/** The record whose file it is: its own, or its template's. */
const companionOf = (name: string, units: ReadonlyMap<string, Unit>): Unit | undefined =>
  units.get(name) ?? units.get(templateName(name) ?? "");
