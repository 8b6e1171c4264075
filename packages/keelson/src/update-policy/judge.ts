// The policy of a group, asked question by question: the first that says no gives the reason.
import { compareVersions } from "@keelson/omaha";
import type { Version } from "@keelson/omaha";
import { admit, nextSlot } from "./admission.ts";
import type { Configuration, KnownGroup } from "./configuration.ts";
import { marks } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import type { GroupState, Rollout } from "./group-state.ts";
import { isQuarantined } from "./quarantine.ts";
import type { FailureFacts, Reason } from "./reasons.ts";
import { fieldOf, matches } from "./request.ts";
import type { Metadata } from "./request.ts";
import { courseOf, haltedOn, mayGoBack, wantedByMachine, wayBack } from "./target.ts";
import type { Course } from "./target.ts";
import { placeOf, waveOpen } from "./waves.ts";

/** All that a decision looks at. */
export interface Case {
  readonly configuration: Configuration;
  readonly group: KnownGroup;
  /** Undefined before the group's first machine. */
  readonly state: GroupState | undefined;
  readonly fleet: Fleet | undefined;
  /** Undefined for a machine that is not known yet. */
  readonly row: number | undefined;
  /** What it says of itself now. */
  readonly about: Metadata;
  readonly current: Version;
  readonly architecture: string;
  readonly verified: boolean;
  readonly onDemand: boolean;
  readonly updateDisabled: boolean;
  readonly versionPrefix: string | undefined;
  /** Of the ledger's clock, and of the wall's. */
  readonly now: number;
  readonly wall: number;
}

export interface Verdict {
  /** Where it is to go; undefined when that is not even asked. */
  readonly course?: Course;
  /** Its rollout is to begin with this decision. */
  readonly begins?: boolean;
  /** It holds a slot for this version already. */
  readonly repeated?: boolean;
  /** Undefined: it may. */
  readonly reason?: Reason;
}

export function judge(about: Case): Verdict {
  const { group, current, verified } = about;
  const { policy } = group.record;
  const { architecture } = about;
  const way = wayOf(about);
  if (policy.verified === "required" && !verified)
    return { reason: { code: "unverified", wasProven: false } };
  if (way === undefined)
    return { reason: { code: "no-version", channel: group.record.channel, architecture } };
  const { course, halted } = way;
  const reason =
    standing(about, course) ??
    (policy.paused ? ({ code: "paused", target: course.text } as const) : undefined) ??
    (halted === undefined ? undefined : haltReason(about, halted)) ??
    personal(about, course);
  if (reason !== undefined) return { course, reason };
  if (compareVersions(course.version, current) < 0 && !mayGoBack(group, course))
    return { course, reason: downgradeReason(about, course) };
  return turn(about, course);
}

/** The way to go, and what stands in it; back, where the group goes back from what the machine runs. */
function wayOf(about: Case): { readonly course: Course; readonly halted: Rollout | undefined } | undefined {
  const { group, state, current, architecture } = about;
  const course = courseOf(group, { architecture, current });
  if (course === undefined) return undefined;
  const halted = haltedOn(course, state);
  if (halted === undefined || about.about.version !== halted.version) return { course, halted };
  const back = wayBack(group, halted);
  if (back === undefined || compareVersions(back.version, current) >= 0) return { course, halted };
  const way = state?.rollouts.get(back.text);
  const stopped = way !== undefined && isWayBack(way, halted) && way.halt !== undefined ? way : undefined;
  return { course: back, halted: stopped };
}

/** Whether a rollout is the way back from this one, and not the one that was there before it. */
const isWayBack = (way: Rollout, from: Rollout): boolean => way.back && way.began >= (from.halt?.at ?? 0);

/** Whether there is anything to do at all. */
function standing(about: Case, course: Course): Reason | undefined {
  const { configuration, group, current, architecture } = about;
  const order = compareVersions(course.version, current);
  if (order === 0) return { code: "current", version: about.about.version };
  if (order < 0 && !course.back && !mayGoBack(group, course) && !wantsBack(group, course))
    return { code: "newer", version: about.about.version, target: course.text };
  if (about.updateDisabled) return { code: "not-asking" };
  if (!wantedByMachine(course, about.versionPrefix))
    return { code: "prefix", prefix: about.versionPrefix ?? "", target: course.text };
  if (configuration.package(group.application.id, course.text, architecture) === undefined)
    return { code: "no-package", version: course.text, architecture };
  return undefined;
}

/** A person named the older version: then what is missing is the leave. */
function wantsBack({ record: { policy } }: KnownGroup, course: Course): boolean {
  return policy.pin === course.text || policy.allowDowngrade.some(({ to }) => to === course.text);
}

function downgradeReason({ about }: Case, course: Course): Reason {
  return { code: "downgrade", version: about.version, target: course.text };
}

function haltReason({ now, wall }: Case, { version, halt }: Rollout): Reason | undefined {
  if (halt === undefined) return undefined;
  const { by, failed, results, at, who } = halt;
  const since = at - (now - wall);
  return { code: "halted", version, by, failed, results, since, ...(who === undefined ? {} : { who }) };
}

/** What this machine did, and what it is. */
function personal(about: Case, course: Course): Reason | undefined {
  const { fleet, group } = about;
  const { policy } = group.record;
  const failure = fleet?.failures.get(about.about.machine)?.get(course.text);
  if (isQuarantined(failure, policy))
    return {
      code: "quarantined",
      failure: { version: course.text, ...failure },
      attempts: policy.attempts,
    };
  const excluded = policy.exclude.find((match) => matches(about.about, match));
  if (excluded === undefined) return undefined;
  return { code: "excluded", field: excluded.field, value: fieldOf(about.about, excluded.field) };
}

/** Whether its turn has come. */
function turn(about: Case, course: Course): Verdict {
  const { group, state, fleet, row, now, wall, onDemand } = about;
  const { policy } = group.record;
  const holds = fleet !== undefined && row !== undefined && fleet.has(row, marks.live);
  if (holds && fleet.target(row) === course.text) return { course, repeated: true };
  const rollout = state?.rollouts.get(course.text);
  const begins = rollout === undefined || (course.back && !isCurrentWayBack(about, rollout));
  const verdict = { course, ...(begins ? { begins } : {}) };
  if (!onDemand) {
    const reason = (course.back ? undefined : waveReason(about, { course, rollout })) ?? windowReason(about);
    if (reason !== undefined) return { ...verdict, reason };
  }
  const admission = admit(onDemand ? { ...policy, perPeriod: null } : policy, state, { now, holds });
  if (admission.free || state === undefined || fleet === undefined) return verdict;
  const ahead = now - wall;
  if (admission.by === "period") {
    const { count, seconds, nextAt } = admission;
    return { ...verdict, reason: { code: "period", count, seconds, nextAt: nextAt - ahead } };
  }
  const nextAt = nextSlot(state, fleet, now);
  const { taken, of } = admission;
  return {
    ...verdict,
    reason: { code: "slots", taken, of, ...(nextAt === undefined ? {} : { nextAt: nextAt - ahead }) },
  };
}

function isCurrentWayBack({ group, state, architecture, current }: Case, way: Rollout): boolean {
  const course = courseOf(group, { architecture, current });
  const halted = course === undefined ? undefined : haltedOn(course, state);
  return halted !== undefined && isWayBack(way, halted);
}

function waveReason(
  { group, about, now, wall }: Case,
  { course, rollout }: { readonly course: Course; readonly rollout: Rollout | undefined },
): Reason | undefined {
  const { policy } = group.record;
  const { waves } = policy;
  if (waves.length === 0) return undefined;
  const rule = policy.wariness.find(({ match }) => matches(about, match));
  const place = placeOf({ machine: about.machine, version: course.text, turn: rule?.turn }, waves);
  const progress = rollout ?? { began: now, granted: 0, lapsed: 0, ok: 0 };
  const verdict = waveOpen(place, policy, { now, progress });
  if (verdict.open) return undefined;
  const { wave, opensAt, missing } = verdict;
  return {
    code: "wave",
    version: course.text,
    wave,
    of: waves.length,
    opensAt: opensAt - (now - wall),
    ...(missing === undefined ? {} : { missing }),
  };
}

function windowReason({ group, wall }: Case): Reason | undefined {
  const { open, changesAt, timezone } = group.windows.at(wall);
  if (open) return undefined;
  return { code: "window", timezone, ...(changesAt === undefined ? {} : { opensAt: changesAt }) };
}

/** What a machine failed of a version so far. */
export function failureFacts(fleet: Fleet, machine: string, version: string): FailureFacts | undefined {
  const failure = fleet.failures.get(machine)?.get(version);
  return failure === undefined ? undefined : { version, ...failure };
}
