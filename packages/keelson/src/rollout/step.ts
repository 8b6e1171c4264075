// The next step of a rollout: pure, from how its instances are doing. What is not to be done now answers when to
// look again.
// Invariants: healthy instances are taken down only as far as MaxUnavailable= allows, those counted that are not
// healthy anyway; no batch before the one before it is healthy; a version that fails is not given to more.
import { createHash } from "node:crypto";
import { amountOf, type UpdateRules } from "../model/placement/rules.ts";
import type { Rollout } from "../model/rollout.ts";
import type { Member } from "./member.ts";

export interface StepInput {
  /** In the order in which they are to be updated. */
  readonly members: readonly Member[];
  /** Of the new version's file. */
  readonly rules: UpdateRules;
  /** Unix milliseconds. */
  readonly wallMs: number;
}

export type Step =
  /** The record is to become this. */
  | { readonly kind: "write"; readonly rollout: Rollout }
  /** All have the version before again: the unit's record follows. */
  | { readonly kind: "return" }
  /** Nothing is to be done before a report comes, or until then: Unix milliseconds. */
  | { readonly kind: "wait"; readonly untilMs: number | undefined };

/** What has failed says why a moment later: its last line is read then. */
const lastWordsMs = 500;

const soonMs = 500;

export function nextStep(rollout: Rollout, input: StepInput): Step {
  switch (rollout.state) {
    case "running":
      return forward(rollout, input);
    case "reverting":
      return backward(rollout, input);
    case "paused":
    case "aborted":
    case "done":
    case "reverted":
      return { kind: "wait", untilMs: undefined };
  }
}

function forward(rollout: Rollout, { members, rules, wallMs }: StepInput): Step {
  const homeless = new Set(rollout.homeless);
  const updated = members.filter(
    ({ key, version, condition }) =>
      version === rollout.to && !(condition === "homeless" && homeless.has(key)),
  );
  // What had the new version before the first batch, from a rollout that this one follows, proves nothing.
  if (rollout.batch.length === 0) return begin(rollout, updated, { members, rules, wallMs });
  const failed = updated.find(({ condition, isRefused }) => condition === "failed" || isRefused === true);
  if (failed !== undefined) {
    const untilMs = failed.since + lastWordsMs;
    if (failed.since <= wallMs && wallMs < untilMs) return { kind: "wait", untilMs };
    return fail(rollout, failed.trouble, { rules, wallMs });
  }
  const deadline = rollout.batchSince + rules.timeoutMs;
  const laggard = updated.find(({ condition }) => condition !== "healthy");
  if (laggard !== undefined) {
    if (wallMs >= deadline) return fail(rollout, late(laggard, rules), { rules, wallMs });
    const { healthy, ...rest } = rollout;
    if (healthy !== undefined) return { kind: "write", rollout: { ...rest, changed: wallMs } };
    // The next look says whether any machine takes it.
    const soon = laggard.condition === "homeless" ? wallMs + soonMs : deadline;
    return { kind: "wait", untilMs: Math.min(soon, deadline) };
  }
  const proof = prove(rollout, updated, { rules, wallMs });
  if (proof !== "proven") return proof;
  return begin(rollout, updated, { members, rules, wallMs });
}

/** The next batch; the end, when nothing is left. */
function begin(rollout: Rollout, updated: readonly Member[], { members, rules, wallMs }: StepInput): Step {
  const open = members.filter(({ version }) => version !== rollout.to);
  if (open.length === 0) {
    const { healthy: _, ...rest } = rollout;
    return { kind: "write", rollout: { ...rest, state: "done", reason: "", changed: wallMs } };
  }
  const batch = pick(open, batchSize(members, rules) - countDown(open) - countDown(updated));
  if (batch.length === 0) return { kind: "wait", untilMs: undefined };
  return { kind: "write", rollout: withBatch(rollout, batch, wallMs) };
}

/** Whether all that have the new version are healthy for long enough, by the leader's clock. */
function prove(
  rollout: Rollout,
  updated: readonly Member[],
  { rules, wallMs }: Pick<StepInput, "rules" | "wallMs">,
): Step | "proven" {
  if (updated.length === 0 || rules.healthyForMs === 0) return "proven";
  const runs = digest(updated);
  const { healthy } = rollout;
  if (healthy === undefined || healthy.runs !== runs || healthy.since > wallMs) {
    // Each time it is another run that is healthy: it starts again and again.
    if (healthy !== undefined && wallMs >= rollout.batchSince + rules.timeoutMs)
      return fail(rollout, "it does not stay up", { rules, wallMs });
    const next = { ...rollout, healthy: { since: wallMs, runs }, changed: wallMs };
    return { kind: "write", rollout: next };
  }
  const until = healthy.since + rules.healthyForMs;
  return wallMs >= until ? "proven" : { kind: "wait", untilMs: until };
}

const digest = (members: readonly Member[]): string =>
  createHash("sha256")
    .update(members.map(({ key, invocation }) => `${key} ${invocation}`).join("\n"))
    .digest("hex")
    .slice(0, 16);

const late = ({ key, trouble }: Member, { timeoutMs }: UpdateRules): string =>
  `${trouble === "" ? key : trouble}; it was not healthy within ${timeoutMs / 1000} s`;

function fail(
  rollout: Rollout,
  reason: string,
  { rules, wallMs }: Pick<StepInput, "rules" | "wallMs">,
): Step {
  const { healthy: _, ...rest } = rollout;
  const goesBack = rules.onFailure === "rollback" && rollout.returnable;
  const state = goesBack ? "reverting" : "paused";
  const batch = goesBack ? [] : rollout.batch;
  return { kind: "write", rollout: { ...rest, state, batch, reason, batchSince: wallMs, changed: wallMs } };
}

/** Back to the version before. What is broken goes back at once, what is healthy as MaxUnavailable= allows. */
function backward(rollout: Rollout, { members, rules, wallMs }: StepInput): Step {
  const open = members.filter(({ version }) => version !== rollout.from);
  const back = members.filter(({ version }) => version === rollout.from);
  const deadline = rollout.batchSince + rules.timeoutMs;
  const isPatient = wallMs < deadline;
  // What has failed with the old version, too, or does not come up, keeps nothing else from going back.
  const onTheWay = back.filter(({ condition }) => condition === "starting" || condition === "underway");
  const down = isPatient ? onTheWay.length + countBroken(back) : 0;
  if (open.length === 0) {
    return onTheWay.length > 0 && isPatient ? { kind: "wait", untilMs: deadline } : { kind: "return" };
  }
  const spoiled = open.filter(({ condition }) => condition !== "healthy");
  const healthy = open.filter(({ condition }) => condition === "healthy");
  const room = Math.max(0, unavailable(members, rules) - down - spoiled.length);
  const batch = [...spoiled, ...healthy.slice(0, room)];
  if (batch.length > 0) return { kind: "write", rollout: withReturned(rollout, batch, wallMs) };
  return { kind: "wait", untilMs: deadline };
}

const countBroken = (members: readonly Member[]): number =>
  members.filter(
    ({ condition }) => condition === "failed" || condition === "down" || condition === "homeless",
  ).length;

/** What may exist twice is started elsewhere first: the scheduler hands over as many at once as MaxSurge= allows. */
const batchSize = (members: readonly Member[], rules: UpdateRules): number =>
  Math.max(unavailable(members, rules), amountOf(rules.maxSurge, members.length));

/** How many instances may be down at once. One must, where none may exist twice. */
const unavailable = (members: readonly Member[], { maxUnavailable }: UpdateRules): number =>
  Math.max(1, amountOf(maxUnavailable, members.length));

const countDown = (members: readonly Member[]): number =>
  members.filter(({ condition }) => condition !== "healthy").length;

/** First those whose replacement costs nothing, then as many healthy ones as there is room for. */
function pick(open: readonly Member[], room: number): Member[] {
  const free = open.filter(({ condition }) => condition !== "healthy" && condition !== "underway");
  const healthy = open.filter(({ condition }) => condition === "healthy");
  return [...free, ...healthy.slice(0, Math.max(0, room))];
}

function withBatch(rollout: Rollout, batch: readonly Member[], wallMs: number): Rollout {
  const { healthy: _, ...rest } = rollout;
  const keys = batch.map(({ key }) => key);
  const updated = [...rollout.updated, ...keys];
  const left = batch.flatMap(({ key, condition }) => (condition === "homeless" ? [key] : []));
  const homeless = [...(rollout.homeless ?? []), ...left];
  const none = homeless.length === 0 ? {} : { homeless };
  return { ...rest, ...none, updated, batch: keys, batchSince: wallMs, reason: "", changed: wallMs };
}

function withReturned(rollout: Rollout, batch: readonly Member[], wallMs: number): Rollout {
  const keys = new Set(batch.map(({ key }) => key));
  const { others = {}, ...rest } = rollout;
  const left = Object.fromEntries(Object.entries(others).filter(([key]) => !keys.has(key)));
  return {
    ...rest,
    ...(Object.keys(left).length === 0 ? {} : { others: left }),
    updated: rollout.updated.filter((key) => !keys.has(key)),
    batch: [...keys],
    batchSince: wallMs,
    changed: wallMs,
  };
}
