// Whether a boot is a good one: a pure decision, looked at again and again until it is made.
// Invariants: a boot that is not on trial never restarts; by the deadline it is decided; what was broken before the
// update is not held against the new version; a boot that is healthy and stays so is good.

/** One look at the machine. */
export interface GateFacts {
  /** Seconds that count towards the deadline. */
  readonly seconds: number;
  /** multi-user.target was reached. */
  readonly booted: boolean;
  /** What systemd still works at, when it was not. */
  readonly jobs: readonly string[];
  /** The machine runs without its state. */
  readonly rescue?: string;
  /** Undefined when this machine has no configuration for a keeld. */
  readonly keeld?: KeeldFacts;
  readonly units: readonly UnitFact[];
  /** Why nothing can be said about the machine now. */
  readonly blind?: string;
}

export interface KeeldFacts {
  readonly active: boolean;
  /** Its socket answers, or it has none to answer at. */
  readonly answers: boolean;
  /** It has heard from the store; undefined when it does not say. */
  readonly store?: boolean;
}

export interface UnitFact {
  readonly name: string;
  readonly active: string;
  /** In that state. */
  readonly seconds: number;
  /** A target wants it, so it is meant to be active for as long as the machine runs. */
  readonly standing: boolean;
  /** keeld runs it for the cluster. */
  readonly scheduled: boolean;
  /** Its conditions do not hold, so it is not meant to be active here. */
  readonly skipped: boolean;
}

/** How the machine was when it was last known: at an update, or when a boot was found good. */
export interface Baseline {
  readonly version: string;
  /** Seconds since 1970. */
  readonly at: number;
  /** keeld was up and answered. */
  readonly keeld: boolean;
  /** The store was reached. */
  readonly store: boolean;
  readonly failed: readonly string[];
  /** Standing units that were active. */
  readonly active: readonly string[];
  /** Units of the cluster that were active. */
  readonly scheduled: readonly string[];
}

export type Verdict =
  | { readonly kind: "waiting"; readonly reasons: readonly string[] }
  | { readonly kind: "healthy" }
  | { readonly kind: "failed"; readonly reasons: readonly string[]; readonly restart: boolean };

export interface GateRules {
  readonly onTrial: boolean;
  /** Seconds. */
  readonly deadline: number;
  readonly baseline: Baseline | undefined;
}

/** What is remembered from one look to the next. */
export interface GateMemory {
  /** Looks in a row at which nothing was wrong. */
  readonly calm: number;
}

export const firstLook: GateMemory = { calm: 0 };

/** A unit that starts and fails by turns is caught at one of so many looks. */
const calmLooks = 3;
/** A failed unit may be started again by what depends on it, or by a person, for so long. */
const failedForSeconds = 20;

export function decide(
  memory: GateMemory,
  facts: GateFacts,
  rules: GateRules,
): { readonly memory: GateMemory; readonly verdict: Verdict } {
  const { broken, missing } = assess(facts, rules);
  const failed = (reasons: readonly string[]) =>
    ({ memory: firstLook, verdict: { kind: "failed", reasons, restart: rules.onTrial } }) as const;
  if (broken.length > 0) return failed(broken);
  const isOver = !(facts.seconds < rules.deadline);
  if (missing.length > 0)
    return isOver
      ? failed([`not healthy within ${rules.deadline} s`, ...missing])
      : { memory: firstLook, verdict: { kind: "waiting", reasons: missing } };
  const calm = memory.calm + 1;
  if (calm >= calmLooks || isOver) return { memory: { calm }, verdict: { kind: "healthy" } };
  return { memory: { calm }, verdict: { kind: "waiting", reasons: ["healthy, and watched for a moment"] } };
}

/** What cannot become good any more, and what is not good yet. */
export function assess(
  facts: GateFacts,
  { baseline }: Pick<GateRules, "baseline">,
): { readonly broken: readonly string[]; readonly missing: readonly string[] } {
  const broken: string[] = [];
  const missing: string[] = [];
  if (facts.rescue !== undefined) broken.push(`the machine has no state: ${facts.rescue}`);
  if (facts.blind !== undefined) return { broken, missing: [facts.blind] };
  if (!facts.booted) {
    const jobs = facts.jobs.slice(0, 5).join(", ");
    missing.push(`multi-user.target is not reached${jobs === "" ? "" : `; still at work: ${jobs}`}`);
  }
  missing.push(...missingOfKeeld(facts.keeld, baseline));
  for (const unit of facts.units) {
    const reason = complaint(unit, baseline);
    if (reason === undefined) continue;
    const isLasting = unit.active === "failed" && unit.seconds >= failedForSeconds;
    (isLasting ? broken : missing).push(reason);
  }
  return { broken, missing };
}

function missingOfKeeld(keeld: KeeldFacts | undefined, baseline: Baseline | undefined): string[] {
  if (keeld === undefined || baseline?.keeld === false) return [];
  if (!keeld.active) return ["keeld is not up"];
  if (!keeld.answers) return ["keeld does not answer at its socket"];
  if (keeld.store === false && baseline?.store !== false) return ["the store was not reached"];
  return [];
}

function complaint(unit: UnitFact, baseline: Baseline | undefined): string | undefined {
  const { name, active, standing, scheduled, skipped } = unit;
  if (baseline?.failed.includes(name)) return undefined;
  if (scheduled) {
    if (!baseline?.scheduled.includes(name) || active === "active") return undefined;
    return `${name}, a unit of the cluster that was healthy before, is ${active}`;
  }
  if (!standing || skipped) return undefined;
  if (active === "failed") return `${name} has failed`;
  if (active !== "active" && baseline?.active.includes(name))
    return `${name} was active before and is ${active}`;
  return undefined;
}
