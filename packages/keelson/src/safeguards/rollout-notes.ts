// A rollout in words, before it begins: for the plan that people confirm.
import { KeelError } from "../base/errors.ts";
import { instancesOf } from "../model/instances.ts";
import type { Change } from "../model/operation.ts";
import { type PlacementRules, readPlacement } from "../model/placement/read-placement.ts";
import { amountOf, type UpdateRules } from "../model/placement/rules.ts";
import type { Unit } from "../model/unit.ts";
import type { PlanInput } from "./draft.ts";

interface NoteSources {
  readonly input: PlanInput;
  /** New files by their hash. */
  readonly bodies: ReadonlyMap<string, string>;
  /** Whether it goes back by itself, as far as that is not the file's to say. */
  readonly returnable: boolean;
}

/** "web@.container: 5 instances in batches of 1, each healthy for 2 s before the next; all go back if one fails". */
export function rolloutNotes(
  { before, after }: Change,
  { input, bodies, returnable }: NoteSources,
): string[] {
  if (before === undefined || after === undefined) return [];
  const rules = rulesOf(after, bodies.get(after.hash) ?? input.bodies(after.hash));
  const former = rulesOf(before, input.bodies(before.hash));
  if (rules === undefined) return [`${after.name} gets its content batch by batch`];
  if (rules.batch !== undefined) return [`${after.name} runs to its end: it runs anew at once`];
  if (former !== undefined && former.global !== rules.global)
    return [`${after.name}: Global= changes, so that all instances change at once`];
  const { schedule, units, machines } = input.snapshot;
  const total = rules.global
    ? [...schedule].filter(([machine, entries]) => machines.has(machine) && entries.has(after.name)).length
    : instancesOf(after, units).length;
  return [
    `${after.name}: ${batchWords(total, rules.update, rules.global)}; ${failureWords(rules.update, returnable)}`,
  ];
}

function rulesOf({ name }: Unit, body: string | undefined): PlacementRules | undefined {
  try {
    return body === undefined ? undefined : readPlacement(name, body);
  } catch (error) {
    if (error instanceof KeelError) return undefined;
    throw error;
  }
}

function batchWords(total: number, rules: UpdateRules, isGlobal: boolean): string {
  const noun = isGlobal ? "machine" : "instance";
  const healthy = rules.healthyForMs === 0 ? "healthy" : `healthy for ${rules.healthyForMs / 1000} s`;
  const surges = amountOf(rules.maxSurge, total) > 0;
  if (total <= 1)
    return surges
      ? `one ${noun}, started on another machine first where one takes it`
      : `one ${noun}, which is to be ${healthy}`;
  const surge = amountOf(rules.maxSurge, total);
  const size = Math.min(total, Math.max(1, amountOf(rules.maxUnavailable, total), surge));
  const count = Math.ceil(total / size);
  const batches = count === 1 ? "one batch" : `${count} batches of ${size}`;
  const first = surges ? ", each instance started on another machine first where one takes it" : "";
  return `${total} ${noun}s in ${batches}, each ${healthy} before the next${first}`;
}

const failureWords = ({ onFailure }: UpdateRules, returns: boolean): string =>
  onFailure === "rollback" && returns
    ? "all go back to the version before if one fails"
    : "it pauses if one fails";
