// What a change of a unit's content means for its instances: those that run get it in a rollout. Every plan goes
// through here, whatever intent it comes from: replacing, rolling back, undoing.
import { instancesOf } from "../model/instances.ts";
import type { Change } from "../model/operation.ts";
import type { RecordChange } from "../model/record-kinds.ts";
import { maxVersions, type Rollout, type UnitVersion } from "../model/rollout.ts";
import type { Unit } from "../model/unit.ts";
import { isOpen, openRollout, rolloutKey, versionList, versionsIn } from "../model/version-of.ts";
import type { Draft, PlanInput } from "./draft.ts";
import { rolloutNotes } from "./rollout-notes.ts";

/** The draft with the records of rollouts and versions that its changes of content need. `id` is the operation's. */
export function withRollouts(draft: Draft, input: PlanInput, id: string): Draft {
  const changes = draft.changes.filter(
    ({ before, after }) => after !== undefined && before?.hash !== after.hash,
  );
  if (changes.length === 0) return draft;
  const records = changes.flatMap((change) => [
    ...rolloutRecords(change, input, id),
    ...versionRecords(change, input, id),
  ]);
  if (records.length === 0) return draft;
  const bodies = draft.bodies ?? new Map<string, string>();
  const notes = changes.flatMap((change) => {
    const begun = records.find(({ kind, name }) => kind === "rollout" && name === change.unit)?.after;
    if (begun === undefined) return [];
    return rolloutNotes(change, { input, bodies, returnable: (begun as Rollout).returnable });
  });
  return {
    ...draft,
    records: [...(draft.records ?? []), ...records],
    notes: [...(draft.notes ?? []), ...notes],
  };
}

const isRolledOut = ({ before, after }: Change, { snapshot }: PlanInput): boolean =>
  before?.desired === "launched" &&
  after?.desired === "launched" &&
  instancesOf(after, snapshot.units).length > 0;

function rolloutRecords(change: Change, input: PlanInput, id: string): RecordChange[] {
  const { unit: name, before: was, after: unit } = change;
  const before = input.snapshot.rollouts.get(name);
  const common = { kind: "rollout", name, ...(before === undefined ? {} : { before }) } as const;
  if (was !== undefined && unit !== undefined && isRolledOut(change, input)) {
    return [{ ...common, after: begun({ was, unit }, input, id) }];
  }
  // Nothing of it runs, so that nothing is left to be rolled out.
  return before !== undefined && isOpen(before.state) ? [common] : [];
}

interface Replacement {
  readonly was: Unit;
  readonly unit: Unit;
}

/**
 * One that takes the place of another that is not over begins where that stands: each instance keeps what it has
 * until its turn comes, and what goes back goes back to the last version that had reached all.
 */
function begun({ was, unit }: Replacement, { snapshot, context }: PlanInput, id: string): Rollout {
  const { nowMs } = context;
  const to = unit.hash;
  const fresh: Rollout = {
    unit: unit.name,
    operation: id,
    from: was.hash,
    to,
    state: "running",
    returnable: true,
    updated: [],
    batch: [],
    batchSince: nowMs,
    reason: "",
    started: nowMs,
    changed: nowMs,
  };
  const former = openRollout(was, snapshot);
  if (former === undefined) return fresh;
  const isBack = former.from === to;
  const from = isBack ? former.to : former.from;
  const read = versionsIn(former);
  const updated: string[] = [];
  const others: Record<string, string> = {};
  for (const key of keysOf(was, former, snapshot)) {
    const version = read(key);
    if (version === to) updated.push(key);
    else if (version !== from) others[key] = version;
  }
  const rest = Object.keys(others).length === 0 ? {} : { others };
  return { ...fresh, from, returnable: former.returnable && !isBack, updated, ...rest };
}

/** Instances as a rollout names them: of global units also by machine. */
function keysOf(unit: Unit, former: Rollout, { units, schedule }: PlanInput["snapshot"]): Set<string> {
  const names = instancesOf(unit, units).map(({ name }) => name);
  const named = [...former.updated, ...Object.keys(former.others ?? {})];
  const isByMachine = named.some((key) => !names.includes(key) && key.includes("@"));
  if (!isByMachine) return new Set(names);
  return new Set(
    [...schedule].flatMap(([machine, entries]) =>
      names.filter((name) => entries.has(name)).map((name) => rolloutKey(name, machine)),
    ),
  );
}

function versionRecords(change: Change, { snapshot, context }: PlanInput, id: string): RecordChange[] {
  const { unit: name, before: was, after } = change;
  const before = snapshot.versions.get(name);
  if (after === undefined || (was === undefined && before === undefined)) return [];
  const known = was === undefined ? (before?.versions ?? []) : versionList(was, snapshot);
  if (known.some(({ hash }) => hash === after.hash)) {
    if (before !== undefined) return [];
    return [{ kind: "versions", name, after: { unit: name, versions: [...known] } }];
  }
  const next: UnitVersion = {
    number: (known.at(-1)?.number ?? 0) + 1,
    hash: after.hash,
    operation: id,
    who: context.who,
    at: context.nowMs,
  };
  const versions = keepNewest([...known, next], was?.hash);
  return [
    { kind: "versions", name, ...(before === undefined ? {} : { before }), after: { unit: name, versions } },
  ];
}

/** The oldest are forgotten, but never the one that the unit has. */
function keepNewest(versions: readonly UnitVersion[], current: string | undefined): UnitVersion[] {
  const surplus = Math.max(0, versions.length - maxVersions);
  const forgettable = versions.filter(({ hash }) => hash !== current).slice(0, surplus);
  return versions.filter((version) => !forgettable.includes(version));
}
