// Turns the store's revisions, one after another, into events with their causes. Pure but for what it remembers:
// the latest origin of each instance, which is the operation or the decision that everything since follows from.
// Invariant: fed with the same revisions it tells the same events.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { keys, machineAndUnit, nameIn, prefixes } from "../model/keys.ts";
import type { Operation } from "../model/operation.ts";
import { templateName } from "../model/unit-name.ts";
import type { ClusterEvent } from "./cluster-event.ts";
import {
  jobEvents,
  machineEvents,
  moveEvents,
  orderEvents,
  rolloutEvents,
  settingsEvents,
  timerEvents,
} from "./order-events.ts";
import { type Draft, statusEvents } from "./status-events.ts";
import { systemEvents } from "./system-events.ts";

/** One revision of the store. */
export interface Step {
  readonly revision: number;
  readonly keys: readonly string[];
  readonly before: ClusterSnapshot;
  readonly after: ClusterSnapshot;
}

interface Origin {
  readonly at: number;
  readonly operation: string;
  readonly who: string;
  /** Instances that were placed for it. */
  readonly placed: Set<string>;
}

interface About {
  readonly units?: readonly string[];
  readonly machine?: string;
}

export class Chronicle {
  readonly #origins = new Map<string, Origin>();
  /** Nothing is told to have happened before what the store shows before it. */
  #latest = 0;

  /**
   * The events of one revision, in order.
   * @param heardAt Unix milliseconds at which it was heard of, for what no record tells the time of; left out when
   * it is read again later
   */
  tell(step: Step, heardAt?: number): ClusterEvent[] {
    if (this.#latest === 0) this.#latest = latestTimeIn(step.before);
    const drafts = inOrder(step.keys).flatMap((key) => draftsOf(key, step));
    // Before the first record with a time there is nothing to date an event by.
    return drafts
      .map(({ draft, about }) => this.#event(draft, about, { step, heardAt }))
      .filter(({ at }) => at > 0);
  }

  #event(
    draft: Draft & { readonly origin?: Origin },
    { units = [], machine = "" }: About,
    { step, heardAt }: { readonly step: Step; readonly heardAt: number | undefined },
  ): ClusterEvent {
    const { kind, text, why = "" } = draft;
    const at = draft.at ?? heardAt ?? Math.max(this.#latest, draft.notBefore ?? 0);
    this.#latest = Math.max(this.#latest, at);
    const [unit = ""] = units;
    if (draft.origin !== undefined) for (const name of units) this.#origins.set(name, draft.origin);
    const asked = this.#originOf(unit);
    // What the leader decides by itself follows from no operation, and what comes after follows from it.
    const isOwn = kind === "placed" && (asked === undefined || isMove(unit, machine, { step, asked }));
    const own: Origin = { at, operation: "", who: "", placed: new Set() };
    if (isOwn) this.#origins.set(unit, own);
    if (kind === "placed") (isOwn ? own : asked)?.placed.add(unit);
    const origin = isOwn || (kind === "withdrawn" && isWanted(unit, step)) ? undefined : asked;
    const isTimed = origin !== undefined && draft.origin === undefined && draft.at !== undefined;
    return {
      revision: step.revision,
      at,
      exact: draft.at !== undefined,
      kind,
      units,
      machine,
      machineName: nameOf(machine, step),
      text,
      why,
      operation: origin?.operation ?? "",
      who: origin?.who ?? "",
      afterMs: isTimed ? Math.max(0, at - origin.at) : null,
    };
  }

  #originOf(instance: string): Origin | undefined {
    const own = this.#origins.get(instance);
    const shared = this.#origins.get(templateName(instance) ?? "");
    if (own === undefined || shared === undefined) return own ?? shared;
    return own.at >= shared.at ? own : shared;
  }
}

/** The latest time that a record tells, in Unix milliseconds. */
function latestTimeIn({ operations, schedule, statuses, machines }: ClusterSnapshot): number {
  let latest = 0;
  const note = (ms: number): void => void (latest = Math.max(latest, ms));
  for (const { at } of operations.values()) note(at);
  for (const { since } of machines.values()) note(since);
  for (const entries of schedule.values()) for (const { placed } of entries.values()) note(placed);
  for (const reports of statuses.values()) for (const { since } of reports.values()) note(since);
  return latest;
}

/** It was placed for its operation before, and is not a global unit that runs on other machines, too. */
function isMove(
  unit: string,
  machine: string,
  { step, asked }: { readonly step: Step; readonly asked: Origin },
): boolean {
  if (!asked.placed.has(unit)) return false;
  if (step.after.schedule.get(machine)?.get(unit)?.takesOver !== undefined) return true;
  return ![...step.after.schedule].some(([other, entries]) => other !== machine && entries.has(unit));
}

/** Still wanted: what is taken off one machine goes to another. */
function isWanted(instance: string, { after: { units } }: Step): boolean {
  const unit = units.get(instance) ?? units.get(templateName(instance) ?? "");
  return unit !== undefined && unit.desired !== "inactive";
}

const nameOf = (machine: string, { before, after }: Step): string =>
  machine === ""
    ? ""
    : ((after.members.get(machine) ?? before.members.get(machine) ?? after.machines.get(machine))?.name ??
      machine.slice(0, 8));

/** What is asked for comes before what is ordered, and that before what is reported. */
const ranks: readonly string[] = [
  prefixes.leader,
  prefixes.machines,
  prefixes.operations,
  prefixes.machineSettings,
  prefixes.rollouts,
  prefixes.timers,
  prefixes.jobs,
  prefixes.moves,
  prefixes.schedule,
  prefixes.status,
];

function inOrder(changed: readonly string[]): string[] {
  const rank = (key: string): number => {
    const place = ranks.findIndex((prefix) => key.startsWith(prefix));
    return place < 0 ? ranks.length : place;
  };
  return [...new Set(changed)].sort((a, b) => rank(a) - rank(b));
}

interface Drafted {
  readonly draft: Draft & { readonly origin?: Origin };
  readonly about: About;
}

function draftsOf(key: string, { before, after }: Step): Drafted[] {
  const as = (drafts: readonly Draft[], about: About): Drafted[] => drafts.map((draft) => ({ draft, about }));
  const status = machineAndUnit(prefixes.status, key);
  if (status !== undefined) {
    const { machine, unit } = status;
    // With the machine's lease its reports go: that says nothing of the unit.
    if (!after.machines.has(machine)) return [];
    const find = (snapshot: ClusterSnapshot) => snapshot.statuses.get(machine)?.get(unit);
    if (isCompanion(after, machine, unit)) return [];
    return as(statusEvents(find(before), find(after)), { units: [unit], machine });
  }
  const order = machineAndUnit(prefixes.schedule, key);
  if (order !== undefined) {
    const { machine, unit } = order;
    const find = (snapshot: ClusterSnapshot) => snapshot.schedule.get(machine)?.get(unit);
    return as(orderEvents(find(before), find(after)), { units: [unit], machine });
  }
  return plainDrafts(key, before, after).map(({ draft, about }) => ({ draft, about }));
}

function plainDrafts(key: string, before: ClusterSnapshot, after: ClusterSnapshot): Drafted[] {
  const within = (prefix: string): string => nameIn(prefix, key) ?? "";
  const all = (drafts: readonly Draft[], about: About): Drafted[] =>
    drafts.map((draft) => ({ draft, about }));
  if (key.startsWith(prefixes.operations)) {
    const id = within(prefixes.operations);
    return before.operations.has(id) ? [] : operationDrafts(after.operations.get(id));
  }
  if (key.startsWith(prefixes.machines)) {
    const id = within(prefixes.machines);
    return all(machineEvents(before.machines.get(id), after.machines.get(id)), { machine: id });
  }
  if (key.startsWith(prefixes.machineSettings)) {
    const id = within(prefixes.machineSettings);
    return all(settingsEvents(before.machineSettings.get(id), after.machineSettings.get(id)), {
      machine: id,
    });
  }
  if (key.startsWith(prefixes.rollouts)) {
    const unit = within(prefixes.rollouts);
    return all(rolloutEvents(before.rollouts.get(unit), after.rollouts.get(unit)), { units: [unit] });
  }
  if (key.startsWith(prefixes.moves)) {
    const unit = within(prefixes.moves);
    const move = after.moves.get(unit);
    return all(moveEvents(before.moves.get(unit), move), { units: [unit], machine: move?.from ?? "" });
  }
  if (key.startsWith(prefixes.jobs)) {
    const name = within(prefixes.jobs);
    const job = after.jobs.get(name);
    const machine = job?.runs.at(-1)?.machine ?? "";
    return all(jobEvents(before.jobs.get(name), job), { units: [job?.name ?? name], machine });
  }
  if (key.startsWith(prefixes.timers)) {
    const unit = within(prefixes.timers);
    return all(timerEvents(before.timers.get(unit), after.timers.get(unit)), { units: [unit] });
  }
  if (key === keys.systemUpdate) {
    return systemEvents(before.systemUpdate, after.systemUpdate).map(({ draft, machine }) => ({
      draft,
      about: { machine },
    }));
  }
  if (key.startsWith(prefixes.leader)) return leaderDrafts(before, after);
  return key.startsWith(keys.alarm("")) ? alarmDrafts(within(keys.alarm("")), before, after) : [];
}

function operationDrafts(operation: Operation | undefined): Drafted[] {
  if (operation === undefined) return [];
  const { id, at, who, via, summary, changes } = operation;
  const draft = { kind: "operation", at, text: summary, why: `asked for by ${who} (${via})` } as const;
  const origin: Origin = { at, operation: id, who, placed: new Set() };
  return [{ draft: { ...draft, origin }, about: { units: changes.map(({ unit }) => unit) } }];
}

function leaderDrafts(before: ClusterSnapshot, { leader = "" }: ClusterSnapshot): Drafted[] {
  if (leader === (before.leader ?? "")) return [];
  const text = leader === "" ? "nobody leads" : "leads";
  return [{ draft: { kind: "leader", at: undefined, text }, about: { machine: leader } }];
}

function alarmDrafts(name: string, before: ClusterSnapshot, after: ClusterSnapshot): Drafted[] {
  const words = after.alarms.get(name);
  if (words === before.alarms.get(name)) return [];
  const text = words === undefined ? `the alarm ${name} is over` : `alarm ${name}`;
  return [{ draft: { kind: "alarm", at: undefined, text, why: words ?? "" }, about: {} }];
}

const isCompanion = (snapshot: ClusterSnapshot, machine: string, unit: string): boolean =>
  snapshot.schedule.get(machine)?.get(unit)?.companion === true;
