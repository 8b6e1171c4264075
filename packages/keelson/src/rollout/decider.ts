// What the leader does about rollouts at each look: begins the next batch when the one before is healthy, goes back
// when the new version fails, and forgets what belongs to units that are no more. Called through
// leader/deciders.ts; docs/operations/updates-of-units.md says what people see of it.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { type Decider, type DeciderScene, type Decision, nothingToDo } from "../model/decision.ts";
import type { PlacementRules } from "../model/placement/rules.ts";
import type { RecordChange } from "../model/record-kinds.ts";
import type { Rollout } from "../model/rollout.ts";
import type { Unit } from "../model/unit.ts";
import { unitOfInstance, versionsIn } from "../model/version-of.ts";
import { forgotten, withOutcome } from "./history.ts";
import { membersOf, type Place, placesOf } from "./member.ts";
import { returnOperation } from "./return-operation.ts";
import { nextStep } from "./step.ts";

export const rolloutDecider: Decider = {
  name: "rollouts",
  decide(scene) {
    const { snapshot } = scene;
    if (snapshot.rollouts.size + snapshot.versions.size === 0) return nothingToDo;
    const old = forgotten(snapshot);
    const moving = [...snapshot.rollouts.values()].filter(isMoving);
    if (moving.length === 0) return { ...nothingToDo, records: old };
    const names = new Set(moving.map(({ unit }) => unit));
    const places = placesOf(snapshot, (name) => names.has(unitOfInstance(name, snapshot)?.name ?? ""));
    const decisions = moving.map((rollout) => decideOne(rollout, scene, places));
    return {
      records: [...old, ...decisions.flatMap(({ records }) => records)],
      operations: decisions.flatMap(({ operations }) => operations),
      againMs: earliest(decisions),
      awaitsReports: decisions.some(({ awaitsReports }) => awaitsReports),
    };
  },
};

const isMoving = ({ state }: Rollout): boolean => state === "running" || state === "reverting";

function decideOne(
  rollout: Rollout,
  scene: DeciderScene,
  places: ReadonlyMap<string, readonly Place[]>,
): Decision {
  const { snapshot, placements, wallMs, nowMs } = scene;
  const unit = snapshot.units.get(rollout.unit);
  // A large operation writes its units after its rollouts.
  if (unit === undefined || unit.hash !== rollout.to) return nothingToDo;
  const rules = placements.rulesOf(rollout.to, unit.name);
  if (rules === "missing") return nothingToDo;
  if (rules instanceof KeelError || !isGradual(unit, rules, { rollout, scene })) {
    return rollout.state === "reverting"
      ? { ...nothingToDo, operations: [returnOperation(rollout, unit, scene)] }
      : end(rollout, snapshot, wallMs);
  }
  const { unplaced } = scene;
  const sources = { snapshot, unplaced, places, versions: versionsIn(rollout), isGlobal: rules.global };
  const members = membersOf(unit, sources);
  const step = nextStep(rollout, { members, rules: rules.update, wallMs });
  switch (step.kind) {
    case "write":
      return step.rollout.state === "done"
        ? end(rollout, snapshot, wallMs)
        : { ...nothingToDo, records: [write(rollout, step.rollout)], awaitsReports: true };
    case "return":
      return { ...nothingToDo, operations: [returnOperation(rollout, unit, scene)] };
    case "wait": {
      const againMs = step.untilMs === undefined ? undefined : nowMs + Math.max(0, step.untilMs - wallMs);
      return { ...nothingToDo, againMs, awaitsReports: true };
    }
  }
}

/** What does not run, runs to its end, or runs on every machine from now on or no more, changes at once. */
function isGradual(
  unit: Unit,
  rules: PlacementRules,
  { rollout, scene }: { readonly rollout: Rollout; readonly scene: DeciderScene },
): boolean {
  if (unit.desired !== "launched" || rules.batch !== undefined) return false;
  const before = scene.placements.rulesOf(rollout.from, unit.name);
  return before === "missing" || (!(before instanceof KeelError) && before.global === rules.global);
}

/** All are to have the new version from now on. */
function end(rollout: Rollout, snapshot: ClusterSnapshot, wallMs: number): Decision {
  const { healthy: _, others: __, ...rest } = rollout;
  const done: Rollout = { ...rest, state: "done", reason: "", changed: wallMs };
  const versions = withOutcome(rollout, undefined, snapshot);
  return { ...nothingToDo, records: [write(rollout, done), ...versions] };
}

const write = (before: Rollout, after: Rollout): RecordChange => ({
  kind: "rollout",
  name: before.unit,
  before,
  after,
});

function earliest(decisions: readonly Decision[]): number | undefined {
  const times = decisions.flatMap(({ againMs }) => againMs ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}
