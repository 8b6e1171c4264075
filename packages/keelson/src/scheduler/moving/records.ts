// The records in moves/: one is written for a unit that has failed too often on its machine (MoveAfter=), and each
// goes when its unit is elsewhere, is not wanted any more, or could not move for a while.
import { KeelError } from "../../base/errors.ts";
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Decider, DeciderScene, Decision } from "../../model/decision.ts";
import { instanceNamed } from "../../model/instances.ts";
import type { Move } from "../../model/move.ts";
import type { PlacementRules } from "../../model/placement/rules.ts";
import type { RecordChange } from "../../model/record-kinds.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import { avoiding } from "./memory.ts";

/** A unit that could not move for so long stays where it is. */
export const patienceMs = 10 * 60_000;
/** An order that knows what is avoided, as it does when its unit stays, has this long to be withdrawn after all. */
const settledMs = 30_000;

export const moveRecords: Decider = { name: "moves", decide };

function decide(scene: DeciderScene): Decision {
  const records: RecordChange[] = [];
  let endsAt: number | undefined;
  for (const move of scene.snapshot.moves.values()) {
    const until = endOf(move, scene.snapshot);
    if (until <= scene.wallMs) records.push({ kind: "move", name: move.instance, before: move });
    else endsAt = Math.min(endsAt ?? Infinity, until);
  }
  for (const after of failedMoves(scene)) records.push({ kind: "move", name: after.instance, after });
  return {
    records,
    operations: [],
    againMs: endsAt === undefined ? undefined : scene.nowMs + endsAt - scene.wallMs,
    awaitsReports: scene.snapshot.moves.size > 0,
  };
}

/** When the record has served, in Unix milliseconds; in the past when it has. */
function endOf({ instance, from, at, avoids }: Move, snapshot: ClusterSnapshot): number {
  if (!isWanted(instance, snapshot)) return 0;
  const order = snapshot.schedule.get(from)?.get(instance);
  const isThere = order !== undefined || snapshot.statuses.get(from)?.has(instance) === true;
  const isElsewhere = [...snapshot.schedule].some(
    ([machine, entries]) => machine !== from && entries.get(instance)?.companion === false,
  );
  if (isElsewhere && !isThere) return 0;
  const knows = Object.entries(avoids ?? {}).every(([id, until]) => order?.avoids?.[id] === until);
  return order !== undefined && avoids !== undefined && knows && !isElsewhere
    ? at + settledMs
    : at + patienceMs;
}

function isWanted(instance: string, { units }: ClusterSnapshot): boolean {
  const wanted = instanceNamed(instance, units);
  return wanted !== undefined && wanted.desired !== "inactive";
}

/** Units that have failed as often as their file allows, on machines that they do not avoid already. */
function* failedMoves({ snapshot, placements, wallMs }: DeciderScene): Generator<Move, undefined> {
  for (const [machine, statuses] of snapshot.statuses) {
    if (!snapshot.machines.has(machine)) continue;
    for (const status of statuses.values()) {
      const entry = snapshot.schedule.get(machine)?.get(status.unit);
      if (status.failures === undefined || entry === undefined || !isJudged(entry, status)) continue;
      if (snapshot.moves.has(status.unit) || (entry.avoids?.[machine] ?? 0) > wallMs) continue;
      const rules = placements.rulesOf(entry.hash, status.unit);
      if (rules === "missing" || rules instanceof KeelError || !hasFailedTooOften(rules, status)) continue;
      // What is on its way out would have its record taken away again at once.
      if (!isWanted(status.unit, snapshot)) continue;
      yield {
        instance: status.unit,
        from: machine,
        because: failureWords(status.failures),
        at: wallMs,
        avoids: avoiding(entry.avoids, machine, wallMs),
      };
    }
  }
}

/** Whether the failures are those of the order that stands; a handover judges its own. */
const isJudged = (entry: ScheduleEntry, { hash }: UnitStatus): boolean =>
  !entry.companion && entry.takesOver === undefined && entry.hash === hash && entry.desired === "launched";

/** The machine counts only what lies within MoveWithin=. */
const hasFailedTooOften = ({ moveAfter, global }: PlacementRules, { failures }: UnitStatus): boolean =>
  !global && moveAfter !== undefined && (failures?.count ?? 0) >= moveAfter.failures;

function failureWords({ count, since, last }: NonNullable<UnitStatus["failures"]>): string {
  const seconds = Math.max(1, Math.round((last - since) / 1000));
  const span = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return `it failed there ${count} times in ${span}`;
}
