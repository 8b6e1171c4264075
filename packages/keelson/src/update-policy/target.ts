// Where a machine is to go next: the pin or the channel's version, or the floor on the way there; after a halt, back.
import { compareVersions, matchesVersionPrefix, parseVersion } from "@keelson/omaha";
import type { Version } from "@keelson/omaha";
import type { KnownGroup, KnownVersion } from "./configuration.ts";
import type { GroupState, Rollout } from "./group-state.ts";

export interface Course {
  readonly text: string;
  readonly version: Version;
  /** What is to be reached in the end. */
  readonly goal: KnownVersion;
  /** Why this one comes first. */
  readonly floor?: string;
  /** It is the way back from a release that was halted. */
  readonly back: boolean;
}

/** The next version for a machine that runs `current`; undefined when its channel has none for it. */
export function courseOf(
  group: KnownGroup,
  { architecture, current }: { readonly architecture: string; readonly current: Version },
): Course | undefined {
  const goal = group.goal(architecture);
  if (goal === undefined) return undefined;
  if (compareVersions(goal.version, current) <= 0) return { ...goal, goal, back: false };
  const floor = group.floors.find(
    ({ version }) => compareVersions(version, current) > 0 && compareVersions(version, goal.version) < 0,
  );
  if (floor === undefined) return { ...goal, goal, back: false };
  return { text: floor.text, version: floor.version, goal, floor: floor.reason, back: false };
}

/** The rollout that stands in the way: of the next version, or of what is behind it. */
export function haltedOn(course: Course, state: GroupState | undefined): Rollout | undefined {
  const step = state?.rollouts.get(course.text);
  if (step?.halt !== undefined) return step;
  const goal = state?.rollouts.get(course.goal.text);
  return goal?.halt === undefined ? undefined : goal;
}

/** The way back, when the group wants it and there is something to go back to. */
export function wayBack(group: KnownGroup, halted: Rollout): Course | undefined {
  if (group.record.policy.backTo !== "last-good" || halted.back || halted.good === undefined)
    return undefined;
  const version = parseVersion(halted.good);
  if (version === undefined) return undefined;
  const goal = { text: halted.good, version };
  return { ...goal, goal, back: true };
}

/**
 * Whether a group may go back to a version: named in its policy, with the signed leave where the application wants
 * one; without being named only on the way back from a halt, for an application that wants none.
 */
export function mayGoBack(group: KnownGroup, course: Course): boolean {
  const signed = group.application.signedDowngrades;
  const allowed = group.record.policy.allowDowngrade.find(({ to }) => to === course.text);
  if (allowed === undefined) return course.back && !signed;
  return !signed || allowed.leave !== undefined;
}

/** What machines of a group would go back to from a version: what came before it, or what most of them run. */
export function lastGood(state: GroupState, course: Pick<Course, "text" | "version">): string | undefined {
  for (const rollout of [...state.rollouts.values()].reverse()) {
    const { version, halt } = rollout;
    if (halt === undefined && version !== course.text && (state.versions.get(version) ?? 0) > 0)
      return version;
  }
  let best: { text: string; count: number } | undefined;
  for (const [text, count] of state.versions) {
    const version = parseVersion(text);
    if (version === undefined || compareVersions(version, course.version) >= 0) continue;
    if (state.rollouts.get(text)?.halt !== undefined) continue;
    if (best === undefined || count > best.count || (count === best.count && text < best.text))
      best = { text, count };
  }
  return best?.text;
}

/** Whether the machine itself would take it. */
export const wantedByMachine = (course: Course, prefix: string | undefined): boolean =>
  prefix === undefined || matchesVersionPrefix(course.version, prefix);
