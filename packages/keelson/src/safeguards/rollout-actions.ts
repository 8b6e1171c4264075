// What people ask of rollouts: back to an earlier version, and to pause, go on or stop.
import { KeelError } from "../base/errors.ts";
import type { Intent } from "../model/operation.ts";
import type { Rollout, UnitVersion } from "../model/rollout.ts";
import type { Unit } from "../model/unit.ts";
import { isOpen, numberOf, openRollout, rolloutKey, versionList } from "../model/version-of.ts";
import { changed, type Draft, type PlanInput } from "./draft.ts";
import { resolveName } from "./selector.ts";

/** Back to an earlier version, in a rollout. @throws KeelError KEEL-501, KEEL-541, KEEL-543 */
export function planRollback(intent: Extract<Intent, { kind: "rollback" }>, input: PlanInput): Draft {
  const { snapshot, context } = input;
  const unit = recordOf(intent.unit, snapshot);
  const target = rollbackTarget(unit, intent.to, snapshot);
  const summary = `roll ${unit.name} back to version ${target.number}`;
  if (target.hash === unit.hash) return { changes: [], unchanged: [unit.name], summary };
  const after = changed(unit, { hash: target.hash }, context.nowMs);
  return { changes: [{ unit: unit.name, before: unit, after }], summary };
}

/**
 * The version that a rollback leads to: the one asked for; while a rollout is not over, the one that it began with;
 * else the last one before the present that nothing was found wrong with.
 * @throws KeelError KEEL-543
 */
export function rollbackTarget(
  unit: Unit,
  number: number | undefined,
  snapshot: PlanInput["snapshot"],
): UnitVersion {
  const versions = versionList(unit, snapshot);
  const present = numberOf(unit.hash, versions);
  const former = openRollout(unit, snapshot);
  const found =
    number !== undefined
      ? versions.find((version) => version.number === number)
      : (versions.findLast(({ hash }) => hash === former?.from) ??
        versions.findLast((version) => version.number < present && version.failed === undefined));
  if (found !== undefined) return found;
  const message =
    number === undefined
      ? `${unit.name} has no version before ${present} to go back to.`
      : `${unit.name} has no version ${number}.`;
  throw new KeelError("KEEL-543", message, {
    hint: `keel versions ${unit.name} lists them.`,
    details: { unit: unit.name, versions: versions.map((version) => version.number) },
  });
}

/** Pauses, resumes or ends a rollout. @throws KeelError KEEL-501, KEEL-541, KEEL-542 */
export function planRollout(
  { unit: word, action }: Extract<Intent, { kind: "rollout" }>,
  { snapshot, context }: PlanInput,
): Draft {
  const unit = recordOf(word, snapshot);
  const { name } = unit;
  const rollout = snapshot.rollouts.get(name);
  const summary = `${action} the rollout of ${name}`;
  if (rollout === undefined) {
    throw new KeelError("KEEL-541", `${name} has no rollout.`, { details: { unit: name } });
  }
  if (rollout.state === targets[action]) return { changes: [], unchanged: [name], summary };
  if (!mayFollow[action].includes(rollout.state)) {
    throw new KeelError(
      "KEEL-542",
      `The rollout of ${name} is ${rollout.state}: it cannot be ${words[action]}.`,
      {
        hint: isOpen(rollout.state)
          ? `keel rollout status ${name} shows it.`
          : `keel update ${name} FILE begins another.`,
        details: { unit: name, state: rollout.state },
      },
    );
  }
  const { healthy: _, ...rest } = rollout;
  const after: Rollout = {
    ...rest,
    state: targets[action],
    reason: action === "resume" ? "" : `${words[action]} by ${context.who}`,
    changed: context.nowMs,
    ...(action === "resume" ? { ...retried(rollout, snapshot), batchSince: context.nowMs } : {}),
  };
  return { changes: [], records: [{ kind: "rollout", name, before: rollout, after }], summary };
}

const targets = { pause: "paused", resume: "running", abort: "aborted" } as const;
const words = { pause: "paused", resume: "resumed", abort: "aborted" } as const;
const mayFollow: Readonly<Record<keyof typeof targets, readonly Rollout["state"][]>> = {
  pause: ["running"],
  resume: ["paused", "aborted"],
  abort: ["running", "paused", "reverting"],
};

/** What failed with the new version goes back, and is tried again when its turn comes. */
function retried(
  rollout: Rollout,
  { schedule, statuses }: PlanInput["snapshot"],
): Pick<Rollout, "updated" | "batch"> {
  const failed = new Set<string>();
  for (const [machine, entries] of schedule) {
    for (const { unit, failedHandover } of entries.values()) {
      if (failedHandover?.hash === rollout.to) failed.add(unit);
      const status = statuses.get(machine)?.get(unit);
      const isBad =
        status?.active === "failed" || status?.health === "failed" || status?.health === "unhealthy";
      if (isBad && status.hash === rollout.to) failed.add(unit).add(rolloutKey(unit, machine));
    }
  }
  return { updated: rollout.updated.filter((key) => !failed.has(key)), batch: [] };
}

/** @throws KeelError KEEL-501 */
export function recordOf(word: string, { units }: PlanInput["snapshot"]): Unit {
  const found = resolveName(word, units);
  if (found.kind === "unit") return found.unit;
  return found.template;
}
