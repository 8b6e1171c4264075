// The scheduler: a snapshot in, a plan out. No I/O, no clock, no chance. The leader carries the plan out; the
// API and `why` ask the same pass.
// Invariants, for units that are not global: never an order on two machines, in no beginning of the writes, but for
// a handover (moving/handovers.ts); a machine that reports must have stopped a unit before another gets it; what may
// stay stays where it is, unless it is to move (moving/wishes.ts).
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { PlacementSource } from "../model/placement/cache.ts";
import type { Board } from "./board/board.ts";
import { planCompanions } from "./companions.ts";
import { Gates } from "./gates.ts";
import { type Departures, judgeDepartures } from "./departures.ts";
import { Incumbents } from "./incumbents.ts";
import { Ledger } from "./ledger.ts";
import { Moves } from "./moving/moves.ts";
import { Newcomers } from "./newcomers.ts";
import { type Wanted, wantedInstances } from "./placeable.ts";
import { overfullMachines } from "./overfull.ts";
import { overfullAlarm, type Plan, type SchedulerFacts, type Unplaced } from "./plan.ts";

export function schedule(
  snapshot: ClusterSnapshot,
  placements: PlacementSource,
  facts: SchedulerFacts,
): Plan {
  return runPass(snapshot, placements, facts).plan;
}

/** A pass with the board that it ends on. */
export interface Pass {
  readonly plan: Plan;
  readonly board: Board;
  readonly wanted: Wanted;
  readonly departures: Departures;
}

export function runPass(snapshot: ClusterSnapshot, placements: PlacementSource, facts: SchedulerFacts): Pass {
  const wanted = wantedInstances(snapshot, placements, facts.wallMs);
  const departures = judgeDepartures(snapshot, facts);
  const gates = new Gates({ snapshot, wanted });
  const ledger = new Ledger();
  const unplaced = new Map<string, Unplaced>();
  for (const [name, { reason, final }] of wanted.problems) unplaced.set(name, { reason, final });
  const scene = { snapshot, placements, facts, wanted, departures, ledger, unplaced, gates };
  const incumbents = new Incumbents(scene);
  incumbents.judge();
  const newcomers = new Newcomers(scene, incumbents);
  newcomers.place();
  // Who has no place goes before who wants another one.
  const moves = new Moves(scene, incumbents);
  moves.begin({ after: newcomers.isCut ? "others, which have no machine, go first" : undefined });
  incumbents.renew();
  gates.explain(unplaced);
  planCompanions(scene, incumbents.board);
  const ends = [departures.againMs, incumbents.againMs, moves.againMs].filter((ms) => ms !== undefined);
  const plan: Plan = {
    groups: ledger.groups(),
    unplaced,
    alarms: alarmsOf(departures, incumbents.board),
    stays: moves.stays,
    awaitsReports:
      incumbents.stopping.size > 0 || gates.awaitsReports || moves.awaitsReports || newcomers.awaitsReports,
    againMs: ends.length === 0 ? undefined : Math.min(...ends),
    isCut: newcomers.isCut,
  };
  return { plan, board: incumbents.board, wanted, departures };
}

function alarmsOf({ alarms }: Departures, board: Board): ReadonlyMap<string, string> {
  const overfull = overfullMachines(board);
  return overfull === undefined ? alarms : new Map([...alarms, [overfullAlarm, overfull]]);
}

/** What the parts of a pass share. */
export interface Scene {
  readonly snapshot: ClusterSnapshot;
  readonly placements: PlacementSource;
  readonly facts: SchedulerFacts;
  readonly wanted: Wanted;
  readonly departures: Departures;
  readonly ledger: Ledger;
  readonly gates: Gates;
  readonly unplaced: Map<string, Unplaced>;
}
