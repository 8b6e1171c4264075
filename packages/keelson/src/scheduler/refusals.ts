// What a pass remembers of units that no machine took because of what the machines are and how full they are: others
// that ask for the same need not be tried, and are told the same.
import type { Board } from "./board/board.ts";
import { isForRoom, type Rejection } from "./fit.ts";
import { isOfTheRightKind } from "./foretelling/machine-kind.ts";
import type { Findings } from "./making-room.ts";
import type { Placeable } from "./placeable.ts";
import type { Unplaced } from "./plan.ts";

interface Refusal {
  readonly unplaced: Unplaced;
  /** How many sites had been relieved then. */
  readonly relieved: number;
}

export class Refusals {
  readonly #known = new Map<string, Refusal>();
  readonly #findings = new Map<string, Findings>();
  readonly #hopeless = new Map<string, number>();

  /** Why no machine takes the unit, when this is known without asking them. */
  of(unit: Placeable, board: Board): Unplaced | undefined {
    if (this.#known.size === 0 || unit.shuns !== undefined) return undefined;
    const known = this.#known.get(demandsOf(unit));
    return known?.relieved === board.relieved.length ? known.unplaced : undefined;
  }

  /** What was found out about making room for units alike; `undefined` when it is known that nobody could. */
  findingsFor(unit: Placeable, { relieved }: Board): Findings | undefined {
    if (!isEasy(unit) || unit.shuns !== undefined) return new Map();
    const claim = claimOf(unit);
    if (this.#hopeless.get(claim) === relieved.length) return undefined;
    const findings = this.#findings.get(claim) ?? new Map();
    this.#findings.set(claim, findings);
    return findings;
  }

  noteHopeless(unit: Placeable, board: Board): void {
    if (!isEasy(unit) || unit.shuns !== undefined) return;
    // Those who keep others away look at names.
    for (const { repelling } of board.sites()) if (repelling.size > 0) return;
    this.#hopeless.set(claimOf(unit), board.relieved.length);
  }

  note(
    unit: Placeable,
    rejections: ReadonlyMap<string, Rejection>,
    { board, unplaced }: { readonly board: Board; readonly unplaced: Unplaced },
  ): void {
    if (unit.shuns !== undefined) return;
    for (const site of board.sites()) {
      const rejection = rejections.get(site.machine.id);
      const isForAll = site.closed !== undefined || !isOfTheRightKind(unit, site);
      if (!isForAll && (rejection === undefined || !isForRoom(rejection))) return;
    }
    this.#known.set(demandsOf(unit), { unplaced, relieved: board.relieved.length });
  }
}

/** Whether all machines are alike to the unit but for their kind and their room. */
const isEasy = ({ rules, ports }: Placeable): boolean =>
  ports.length + rules.conflicts.length + rules.replaces.length + rules.machineOf.length === 0 &&
  rules.pod === undefined;

const claimOf = (unit: Placeable): string => `${unit.rules.priority} ${demandsOf(unit)}`;

function demandsOf({ rules: { machine, metadata, resources } }: Placeable): string {
  const { memoryBytes, memoryShare, cpus } = resources;
  return JSON.stringify([machine, [...metadata], memoryBytes, memoryShare, cpus]);
}
