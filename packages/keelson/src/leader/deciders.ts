// The deciders that the leader asks before it schedules, in this order. Each sees what the ones before have written.
import { jobs } from "../batch/jobs.ts";
import { timers } from "../batch/timers.ts";
import { autoRebalance } from "../scheduler/moving/auto-rebalance.ts";
import { moveRecords } from "../scheduler/moving/records.ts";
import type { Decider } from "../model/decision.ts";
import { rolloutDecider } from "../rollout/decider.ts";
import { systemUpdateDecider } from "../rollout/system-update/decider.ts";

export const deciders: readonly Decider[] = [
  rolloutDecider,
  systemUpdateDecider,
  jobs,
  timers,
  moveRecords,
  autoRebalance,
];
