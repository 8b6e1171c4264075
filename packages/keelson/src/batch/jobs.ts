// Keeps the runs of units that run to their end. The leader asks it before the scheduler, which places a unit only
// for a run that is due.
// Invariants: a start or restart by a person is one run; a run that has ended is never begun again, whatever becomes
// of its machine, of keeld or of the leader; an attempt has one identity, and a machine begins it only once.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Decider, DeciderScene, Decision } from "../model/decision.ts";
import { attemptOf, type Job, openRun } from "../model/job.ts";
import type { BatchRules } from "../model/placement/rules.ts";
import { type RecordChange, sameRecord } from "../model/record-kinds.ts";
import { beginRun, type Carrier, follow, giveUp, withinReason, withRun } from "./run.ts";
import { wantedJobs, type WantedJob } from "./wanted-jobs.ts";

export const jobs: Decider = { name: "jobs", decide };

function decide(scene: DeciderScene): Decision {
  const { snapshot, placements, nowMs, wallMs } = scene;
  const records: RecordChange[] = [];
  const wanted = new Set<string>();
  let awaitsReports = false;
  let againWallMs = Infinity;
  let carriers: ReadonlyMap<string, readonly Carrier[]> | undefined;
  for (const job of wantedJobs(snapshot, placements)) {
    wanted.add(job.name);
    const before = snapshot.jobs.get(job.name);
    const asked = heed(before, job, scene);
    if (asked === undefined) continue;
    carriers ??= carriersIn(snapshot);
    const after = goOn(asked, job.batch, { ...scene, carriers: carriers.get(asked.instance) ?? [] });
    const open = openRun(after);
    awaitsReports ||= open !== undefined;
    if (open !== undefined && open.notBefore > 0) againWallMs = Math.min(againWallMs, open.notBefore);
    if (before === after || sameRecord(before, after)) continue;
    records.push({ kind: "job", name: job.name, ...(before && { before }), after });
  }
  for (const before of snapshot.jobs.values()) {
    if (!wanted.has(before.name) && isOver(before, scene))
      records.push({ kind: "job", name: before.name, before });
  }
  const againMs = againWallMs === Infinity ? undefined : nowMs + Math.max(0, againWallMs - wallMs);
  return { records, operations: [], againMs, awaitsReports };
}

/** What a person has asked for since the last look. `undefined` for a job that nobody has started yet. */
function heed(
  job: Job | undefined,
  { name, instance, machine }: WantedJob,
  { snapshot, wallMs, newId }: DeciderScene,
): Job | undefined {
  const { unit } = instance;
  const { created } = unit;
  const { restarts } = instance;
  const launched = instance.desired === "launched";
  if (job === undefined && !launched) return undefined;
  const isAsked = job === undefined || job.created !== created || job.restarts !== restarts;
  const isStopped = job?.launched === true && !launched;
  if (!isAsked && !isStopped && job.launched === launched) return job;
  const marked: Job = {
    ...(job ?? { name, instance: instance.name, machine, runs: [] }),
    unit: unit.name,
    created,
    restarts,
    launched,
  };
  const begins = isAsked && launched;
  if (!begins && !isAsked && !isStopped) return marked;
  const cleared = giveUp(marked, begins ? "started again while it ran" : "stopped", wallMs);
  if (!begins) return cleared;
  return beginRun(cleared, {
    id: newId(),
    cause: causeOf(instance.unit.name, snapshot),
    hash: unit.hash,
    wallMs,
  });
}

/** The operation that started the unit, in words. */
function causeOf(unit: string, { operations, units }: ClusterSnapshot): string {
  const record = units.get(unit);
  let cause: { readonly id: string; readonly text: string } | undefined;
  for (const { id, changes, summary, who } of operations.values()) {
    if (cause !== undefined && cause.id > id) continue;
    const starts = changes.some(
      ({ unit: name, after }) => name === unit && after?.generation === record?.generation,
    );
    if (starts) cause = { id, text: `${summary}, by ${who}` };
  }
  return cause?.text ?? `start ${unit}`;
}

/** The open run as the machines report it. */
function goOn(
  job: Job,
  batch: BatchRules,
  { carriers, wallMs, placements }: DeciderScene & { readonly carriers: readonly Carrier[] },
): Job {
  const run = openRun(job);
  if (run === undefined) return job;
  const known = placements.rulesOf(run.hash, job.instance);
  const rules = known === "missing" || known instanceof KeelError ? batch : (known.batch ?? batch);
  if (run.notBefore > wallMs) return withRun(job, withinReason(run, rules, wallMs));
  if (run.notBefore > 0) return withRun(job, { ...run, notBefore: 0 });
  const attempt = attemptOf(run);
  const carrier = carriers.find(
    (one) => one.attempt === attempt && (job.machine === "" || one.machine === job.machine),
  );
  if (carrier === undefined) return job;
  return withRun(job, follow(run, carrier, { batch: rules, wallMs }));
}

/** Machines with orders for runs, by instance. */
function carriersIn({ schedule, statuses }: ClusterSnapshot): ReadonlyMap<string, readonly Carrier[]> {
  const found = new Map<string, Carrier[]>();
  for (const [machine, entries] of schedule) {
    for (const { unit, run, placed } of entries.values()) {
      if (run === undefined) continue;
      const status = statuses.get(machine)?.get(unit);
      const carrier = { machine, placed, attempt: run, status: status?.run === run ? status : undefined };
      const others = found.get(unit);
      if (others === undefined) found.set(unit, [carrier]);
      else others.push(carrier);
    }
  }
  return found;
}

/** Its unit is gone, or is none that runs to its end any more; of a global one, its machine is. */
function isOver({ unit, instance, machine }: Job, { snapshot, placements }: DeciderScene): boolean {
  const record = snapshot.units.get(unit);
  if (record === undefined) return true;
  const rules = placements.rulesOf(record.hash, record.name);
  if (rules === "missing" || rules instanceof KeelError) return false;
  if (rules.batch === undefined || instance !== record.name) return true;
  // A machine that is away keeps its results; it may be back.
  return rules.global ? !snapshot.members.has(machine) : machine !== "";
}
