// Rebalances by itself when that is switched on: a few moves at a time, only while everything is quiet, only when it
// is well worth it, and never what was moved a short while ago. The moves are an operation like a person's.
import type { Decider, DeciderScene, Decision } from "../../model/decision.ts";
import { nothingToDo } from "../../model/decision.ts";
import { leadersImpact, undoMs } from "../../model/operation.ts";
import { planRebalance } from "./rebalance.ts";

const mostAtOnce = 4;
/** A machine must have been there for so long. */
const provenMs = 60_000;
/** What was placed later stays where it is. */
const restMs = 10 * 60_000;
/** How many units more than elsewhere are worth a move. */
const difference = 3;
/** It looks once in so long, for a part of it: looking takes time in a large cluster. */
const everyMs = 60_000;
const lookMs = 5000;
/** Of no account: a decider is asked only while the leader leads, and the scheduler holds back by itself. */
const leaseMs = 6000;

export const autoRebalance: Decider = { name: "rebalance", decide };

function decide({ snapshot, placements, nowMs, wallMs, newId }: DeciderScene): Decision {
  const { settings, machines, machineSettings, moves } = snapshot;
  if (!settings.autoRebalance || moves.size > 0) return nothingToDo;
  const sinceTurn = wallMs % everyMs;
  const later: Decision = { ...nothingToDo, againMs: nowMs + everyMs - sinceTurn };
  if (sinceTurn > lookMs) return later;
  const isYoung = [...machines.values()].some(({ since }) => wallMs - since < provenMs);
  const isDraining = [...machineSettings.values()].some(({ drain }) => drain !== undefined);
  if (isYoung || isDraining) return later;
  const facts = {
    nowMs,
    wallMs,
    continuousSinceMs: nowMs - leaseMs,
    goneSince: new Map(),
    leaseMs,
    fence: 0,
  };
  const placedBefore = wallMs - restMs;
  const plan = planRebalance(snapshot, { placements, facts }, { most: mostAtOnce, placedBefore, difference });
  if (plan.moves.length === 0) return later;
  const after = plan.moves.map((move) => ({ ...move, because: `rebalance: ${move.because}`, at: wallMs }));
  return {
    ...later,
    operations: [
      {
        id: newId(),
        who: "keelson",
        via: "leader",
        summary: `rebalance: move ${after.length} ${after.length === 1 ? "instance" : "instances"}`,
        kind: "rebalance",
        changes: [],
        records: after.map((move) => ({ kind: "move", name: move.instance, after: move })),
        moves: after.map(({ instance, from, to }) => ({ instance, from, to })),
        impact: leadersImpact(snapshot.units.size),
        at: wallMs,
        expires: wallMs + undoMs,
        state: "applying",
      },
    ],
  };
}
