// Who has which version, who may update now, and how it goes: the update service's one value. It is changed only by
// entries; `check` and `report` look at a request and the time, apply the entries that follow from it, and return
// them. An answer may be sent when its entries are durable; what was lost in a crash was never answered.
// Nothing in here reads a clock, a file or chance, and nothing costs more when more machines are known.
import { compareVersions } from "@keelson/omaha";
import type { OmahaEvent } from "@keelson/omaha";
import type { UpdatePackage } from "../model/update-service.ts";
import { admit, lapsedRows } from "./admission.ts";
import { counts, trips } from "./brakes.ts";
import { Configuration } from "./configuration.ts";
import type { KnownGroup } from "./configuration.ts";
import type { Ended, Entry, Seen } from "./entries.ts";
import { marks } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import type { GroupState, Rollout } from "./group-state.ts";
import { failureFacts, judge } from "./judge.ts";
import type { Case, Verdict } from "./judge.ts";
import { LedgerState, toldReason } from "./ledger-state.ts";
import { isAdvance, isUnderWay, readReport } from "./machine-state.ts";
import type { MachineState, Reported } from "./machine-state.ts";
import type { Reason } from "./reasons.ts";
import { KnownVersions, bootOf, clean, namesOf, profileOf, unreadable } from "./request.ts";
import type { UpdateRequest } from "./request.ts";
import { freezeState, thawState } from "./snapshot.ts";
import type { FrozenLedger } from "./snapshot.ts";
import { lastGood } from "./target.ts";

export type Decision =
  | {
      readonly answer: "update";
      readonly package: UpdatePackage;
      /** What is to be reached in the end, and why this version comes first. */
      readonly floor?: { readonly goal: string; readonly reason: string };
      /** Until when it holds its slot, Unix milliseconds. */
      readonly until: number;
      /** It was told so before. */
      readonly repeated: boolean;
    }
  | {
      readonly answer: "none";
      readonly reason: Reason;
      /** When asking again can bring something, in seconds; spread so that not all come at once. */
      readonly pollSeconds?: number;
    };

export interface Checked {
  readonly decision: Decision;
  /** In their order; applied already. */
  readonly entries: readonly Entry[];
}

/** One event of a request, and what the machine says of it beyond the protocol. */
export interface Report extends UpdateRequest {
  readonly event: OmahaEvent;
  /** In a few words: `verity mismatch`. Taken from machines that proved who they are. */
  readonly words?: string | undefined;
}

/** What a person does to a rollout or a machine. */
export type Action =
  | {
      readonly do: "halt" | "resume";
      readonly application: string;
      readonly group: string;
      readonly version: string;
      readonly who: string;
    }
  | {
      readonly do: "clear";
      readonly application: string;
      readonly machine: string;
      readonly version?: string;
      readonly who: string;
    }
  | { readonly do: "forget"; readonly application: string; readonly machine: string; readonly who: string };

export interface LedgerOptions {
  /** Machines of all applications; a tenth is kept for those that prove who they are. */
  readonly mostMachines?: number;
  /** Called with each entry once it is applied; not with what a snapshot restores. */
  readonly onEntry?: (entry: Entry) => void;
}

const MOST_MACHINES = 4_000_000;
/** Grants that one check clears away when they ran out. */
const LAPSES_PER_CHECK = 16;
/** A wall clock that goes back by less is waited for. */
const CLOCK_SLACK_MS = 1000;
/** A second sign of life within this says nothing. */
const SEEN_EVERY_MS = 1000;
/** Machines that wait for the same moment come back within this after it. */
const SPREAD_SECONDS = 2700;

export class Ledger {
  #state = new LedgerState();
  #configuration: Configuration;
  readonly #mostMachines: number;
  readonly #onEntry: LedgerOptions["onEntry"];
  readonly #versions = new KnownVersions();

  constructor(configuration: Configuration, { mostMachines = MOST_MACHINES, onEntry }: LedgerOptions = {}) {
    this.#configuration = configuration;
    this.#mostMachines = mostMachines;
    this.#onEntry = onEntry;
  }

  /** Entries that were applied. */
  get revision(): number {
    return this.#state.revision;
  }

  /** To be read only. */
  get state(): LedgerState {
    return this.#state;
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  /** From the next question on. */
  configure(configuration: Configuration): void {
    this.#configuration = configuration;
  }

  /** Throws KEEL-402 for an entry that does not fit to those before it. */
  apply(entry: Entry): void {
    this.#state.apply(entry);
    this.#onEntry?.(entry);
  }

  /** Decides whether a machine may update. @param wallMs Unix milliseconds */
  check(request: UpdateRequest, wallMs: number): Checked {
    const entries = this.settle(request, wallMs);
    const { decision, entries: more } = this.propose(request, wallMs);
    for (const entry of more) this.apply(entry);
    return { decision, entries: [...entries, ...more] };
  }

  /** Takes note of an event. The machine's version is believed before what the event says. */
  report(report: Report, wallMs: number): { readonly entries: readonly Entry[] } {
    const entries = this.settle(report, wallMs);
    const group = this.#configuration.group(report.application, report.track);
    if (group === undefined || this.#refusal(report) !== undefined) return { entries };
    const record = (entry: Entry | undefined): void => {
      if (entry === undefined) return;
      this.apply(entry);
      entries.push(entry);
    };
    record(this.#seen(report, { group, now: this.#now(wallMs) }));
    const fleet = this.#state.fleets.get(report.application);
    const row = fleet?.row(report.machine);
    if (fleet === undefined || row === undefined) return { entries };
    const context = { fleet, row, group, now: this.#now(wallMs) };
    const reported = readReport(report.event);
    if (reported.kind === "advance") record(this.#advance(reported.to, context));
    if (reported.kind === "failure") {
      const ended = this.#failure(report, reported, context);
      record(ended);
      if (ended?.counted === true) record(this.#brake(context));
    }
    return { entries };
  }

  /**
   * What time and the machine's own version changed before it is decided on: grants that ran out, an arrival, a move
   * to another group, the wall's clock set back. The entries are applied.
   */
  settle(request: UpdateRequest, wallMs: number): Entry[] {
    const entries = this.#setClock(wallMs);
    const group = this.#configuration.group(request.application, request.track);
    if (group === undefined) return entries;
    const record = (entry: Entry): void => {
      this.apply(entry);
      entries.push(entry);
    };
    const now = this.#now(wallMs);
    const { application } = request;
    const fleet = this.#state.fleets.get(application);
    const state = this.#state.group(application, group.record.name);
    if (fleet === undefined) return entries;
    if (state !== undefined) {
      for (const row of lapsedRows(state, fleet, { now, most: LAPSES_PER_CHECK }))
        record(this.#lapsed({ fleet, row, group, now }));
    }
    const row = fleet.row(request.machine);
    if (row === undefined || this.#refusal(request) !== undefined) return entries;
    if (fleet.has(row, marks.live) && this.#state.groupOf(fleet, row).name !== group.record.name)
      record({ kind: "ended", at: now, application, machine: request.machine, how: "withdrawn" });
    const arrival = this.#arrival(request, { fleet, row, group, now });
    if (arrival !== undefined) record(arrival);
    return entries;
  }

  /** Frees what ran out in all groups, for when nobody asks. At most so many at once. */
  sweep(wallMs: number, most = 1000): readonly Entry[] {
    const entries = this.#setClock(wallMs);
    const now = this.#now(wallMs);
    for (const state of this.#state.groups) {
      const fleet = this.#state.fleets.get(state.application);
      if (fleet === undefined) continue;
      const group = this.#configuration.groupNamed(state.application, state.name);
      for (const row of lapsedRows(state, fleet, { now, most })) {
        const entry = this.#lapsed({ fleet, row, group, now });
        this.apply(entry);
        entries.push(entry);
      }
    }
    return entries;
  }

  /** What {@link check} would decide and enter after {@link settle}. Changes nothing. */
  propose(request: UpdateRequest, wallMs: number): Checked {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return { decision: { answer: "none", reason: refusal }, entries: [] };
    const group = this.#configuration.group(request.application, request.track);
    if (group === undefined)
      return {
        decision: { answer: "none", reason: { code: "unknown-group", track: clean(request.track) } },
        entries: [],
      };
    const about = this.#case(request, { group, wallMs });
    const verdict = judge(about);
    return this.#decide(request, { about, verdict });
  }

  /** Why a machine is not updating, or what it does; true at this moment. */
  why(application: string, machine: string, wallMs: number): Reason {
    const fleet = this.#state.fleets.get(application);
    const row = fleet?.row(machine);
    if (fleet === undefined || row === undefined) return { code: "unknown-machine", machine };
    const name = this.#state.groupOf(fleet, row).name;
    const group = this.#configuration.groupNamed(application, name);
    if (this.#configuration.application(application) === undefined)
      return { code: "unknown-application", application };
    if (group === undefined) return { code: "unknown-group", track: name };
    const now = this.#now(wallMs);
    const live = fleet.has(row, marks.live) && (fleet.at.until[row] ?? 0) > now;
    const state = fleet.state(row);
    if (isUnderWay(state) && (live || state === "installed")) {
      const until = live ? { until: (fleet.at.until[row] ?? 0) - (now - wallMs) } : {};
      return { code: "updating", version: fleet.target(row), state, ...until };
    }
    const verdict = judge(this.#caseOf({ fleet, row, group, wallMs }));
    if (verdict.reason !== undefined) return verdict.reason;
    const version = verdict.course?.text ?? "";
    const failure = failureFacts(fleet, machine, version);
    return { code: "ready", version, ...(failure === undefined ? {} : { failure }) };
  }

  /** What a person does. Applied; nothing for what is not there. */
  act(action: Action, wallMs: number): readonly Entry[] {
    const entries = this.#setClock(wallMs);
    const at = this.#now(wallMs);
    const entry = this.#actionEntry(action, at);
    if (entry === undefined) return entries;
    this.apply(entry);
    return [...entries, entry];
  }

  /** A copy that stays as it is, to be written line by line. */
  freeze(): FrozenLedger {
    return freezeState(this.#state);
  }

  /** The lines of {@link freeze}, all of them. */
  snapshot(): Iterable<string> {
    return this.freeze().lines();
  }

  /** From the lines of a snapshot. Throws KEEL-402 with the place of a line that is none. */
  static restore(lines: Iterable<string>, configuration: Configuration, options: LedgerOptions = {}): Ledger {
    const ledger = new Ledger(configuration, options);
    ledger.#state = thawState(lines);
    return ledger;
  }

  #now(wallMs: number): number {
    return Math.max(this.#state.clock, Math.floor(wallMs) + this.#state.ahead);
  }

  #setClock(wallMs: number): Entry[] {
    const { clock, ahead } = this.#state;
    const wall = Math.floor(wallMs);
    if (wall + ahead >= clock - CLOCK_SLACK_MS) return [];
    const entry: Entry = { kind: "clock", at: clock, ahead: clock - wall };
    this.apply(entry);
    return [entry];
  }

  /** Requests that leave no trace. */
  #refusal(request: UpdateRequest): Reason | undefined {
    const what = unreadable(request);
    if (what !== undefined) return { code: "unreadable", what };
    if (this.#configuration.application(request.application) === undefined)
      return { code: "unknown-application", application: clean(request.application) };
    const fleet = this.#state.fleets.get(request.application);
    const row = fleet?.row(request.machine);
    if (row === undefined) {
      const most = request.verified ? this.#mostMachines : Math.ceil(this.#mostMachines * 0.9);
      return this.#state.machines >= most ? { code: "full", most } : undefined;
    }
    return fleet?.has(row, marks.proven) === true && !request.verified
      ? { code: "unverified", wasProven: true }
      : undefined;
  }

  #case(request: UpdateRequest, { group, wallMs }: { group: KnownGroup; wallMs: number }): Case {
    const fleet = this.#state.fleets.get(request.application);
    const row = fleet?.row(request.machine);
    const now = this.#now(wallMs);
    return {
      configuration: this.#configuration,
      group,
      state: this.#state.group(request.application, group.record.name),
      fleet,
      row,
      about: {
        machine: request.machine,
        version: request.version,
        names: namesOf(request, fleet?.names(row ?? -1)),
        profile: profileOf(request, fleet?.profile(row ?? -1)),
      },
      current: this.#versions.of(request.version) ?? { numbers: [], preRelease: [], build: "" },
      architecture: request.architecture,
      verified: request.verified,
      onDemand: request.onDemand === true,
      updateDisabled: request.updateDisabled === true,
      versionPrefix: request.versionPrefix,
      now,
      wall: Math.floor(wallMs),
    };
  }

  /** As if the machine asked now, saying what it said last. */
  #caseOf({
    fleet,
    row,
    group,
    wallMs,
  }: {
    fleet: Fleet;
    row: number;
    group: KnownGroup;
    wallMs: number;
  }): Case {
    const profile = fleet.profile(row);
    const about = { machine: fleet.id(row), version: fleet.version(row), names: fleet.names(row), profile };
    return {
      configuration: this.#configuration,
      group,
      state: this.#state.groupOf(fleet, row),
      fleet,
      row,
      about,
      current: this.#versions.of(about.version) ?? { numbers: [], preRelease: [], build: "" },
      architecture: profile.slice(0, profile.indexOf("\n")),
      verified: fleet.has(row, marks.proven),
      onDemand: false,
      updateDisabled: toldReason(fleet.at.reason[row] ?? 0) === "not-asking",
      versionPrefix: undefined,
      now: this.#now(wallMs),
      wall: Math.floor(wallMs),
    };
  }

  #decide(request: UpdateRequest, { about, verdict }: { about: Case; verdict: Verdict }): Checked {
    const { group, now, wall } = about;
    const { application, machine, architecture } = request;
    const { course, reason, repeated = false } = verdict;
    const entries: Entry[] = [];
    const where = { at: now, application };
    if (course !== undefined && verdict.begins === true) {
      const isStep = !course.back && compareVersions(about.current, course.version) < 0;
      const before = isStep ? request.version : undefined;
      const good =
        course.back || about.state === undefined ? before : (lastGood(about.state, course) ?? before);
      entries.push({
        kind: "began",
        ...where,
        group: group.record.name,
        version: course.text,
        ...(good === undefined ? {} : { good }),
        ...(course.back ? { back: true } : {}),
      });
    }
    const found =
      course === undefined ? undefined : this.#configuration.package(application, course.text, architecture);
    if (reason !== undefined || course === undefined || found === undefined) {
      const told: Reason = reason ?? { code: "no-package", version: course?.text ?? "", architecture };
      const held =
        about.fleet !== undefined && about.row !== undefined && about.fleet.has(about.row, marks.live);
      if (held) entries.push({ kind: "ended", ...where, machine, how: "withdrawn" });
      const seen = this.#seen(request, { group, now, reason: told });
      if (seen !== undefined) entries.push(seen);
      const pollSeconds = pollAfter(told, { machine, wall });
      return {
        decision: { answer: "none", reason: told, ...(pollSeconds === undefined ? {} : { pollSeconds }) },
        entries,
      };
    }
    const seen = this.#seen(request, { group, now, reason: readyReason(course.text) });
    if (seen !== undefined) entries.push(seen);
    const { grantSeconds } = group.record.policy;
    const held =
      repeated && about.fleet !== undefined ? (about.fleet.at.until[about.row ?? 0] ?? 0) : undefined;
    const until = held ?? now + grantSeconds * 1000;
    if (!repeated) entries.push({ kind: "granted", ...where, machine, version: course.text, until });
    const floor =
      course.floor === undefined ? {} : { floor: { goal: course.goal.text, reason: course.floor } };
    return {
      decision: { answer: "update", package: found, ...floor, until: until - (now - wall), repeated },
      entries,
    };
  }

  /** What is new of a machine that spoke; undefined when that is nothing, and it spoke just now. */
  #seen(
    request: UpdateRequest,
    { group, now, reason }: { readonly group: KnownGroup; readonly now: number; readonly reason?: Reason },
  ): Seen | undefined {
    const { application, machine, version } = request;
    const fleet = this.#state.fleets.get(application);
    const row = fleet?.row(machine);
    const known = fleet !== undefined && row !== undefined ? { fleet, row } : undefined;
    const names = namesOf(request, known?.fleet.names(known.row));
    const profile = profileOf(request, known?.fleet.profile(known.row));
    const boot = bootOf(request);
    const state = stateAfter(reason, known?.fleet.state(known.row));
    const seen: { -readonly [Name in keyof Seen]: Seen[Name] } = {
      kind: "seen",
      at: now,
      application,
      machine,
    };
    if (reason !== undefined) seen.reason = reason.code;
    if (known === undefined) {
      Object.assign(seen, { group: group.record.name, version, names, profile });
      if (state !== undefined) seen.state = state;
      if (request.verified) seen.proven = true;
      if (boot !== 0) seen.boot = boot;
      return seen;
    }
    const { at } = known.fleet;
    let isNews = false;
    const news = <Name extends keyof Seen>(name: Name, value: Seen[Name]): void => {
      (seen as Record<Name, Seen[Name]>)[name] = value;
      isNews = true;
    };
    if (this.#state.groupOf(known.fleet, known.row).name !== group.record.name)
      news("group", group.record.name);
    if (known.fleet.version(known.row) !== version) news("version", version);
    if (state !== undefined && known.fleet.state(known.row) !== state) news("state", state);
    if (known.fleet.names(known.row) !== names) news("names", names);
    if (known.fleet.profile(known.row) !== profile) news("profile", profile);
    if (request.verified && !known.fleet.has(known.row, marks.proven)) news("proven", true);
    if (boot !== 0 && at.boot[known.row] !== boot) news("boot", boot);
    const sameTold = reason === undefined || toldReason(at.reason[known.row] ?? 0) === reason.code;
    const isSoon = now - (at.seen[known.row] ?? 0) < SEEN_EVERY_MS;
    return !isNews && sameTold && isSoon ? undefined : seen;
  }

  /** It runs what it was given: that is the end of it, or the beginning of its proof. */
  #arrival(request: UpdateRequest, { fleet, row, group, now }: Context): Entry | undefined {
    const state = fleet.state(row);
    const onTheWay = isUnderWay(state) || (state === "behind" && fleet.has(row, marks.lapsed));
    if (!onTheWay || fleet.target(row) !== request.version) return undefined;
    const { application, machine } = request;
    const holdsGrant = fleet.has(row, marks.live);
    const { healthSeconds } = group.record.policy;
    if (state === "proving" && holdsGrant) return undefined;
    if (healthSeconds > 0 && holdsGrant)
      return {
        kind: "moved",
        at: now,
        application,
        machine,
        state: "proving",
        until: now + healthSeconds * 1000,
      };
    const counted = counts(group.record.policy, { verified: request.verified, holdsGrant });
    return { kind: "ended", at: now, application, machine, how: "done", ...(counted ? { counted } : {}) };
  }

  #advance(to: MachineState, { fleet, row, group, now }: Context): Entry | undefined {
    const state = fleet.state(row);
    const lapsed = !fleet.has(row, marks.live) && fleet.has(row, marks.lapsed);
    const from = state === "behind" && lapsed ? "granted" : state;
    if (!isAdvance(from, to)) return undefined;
    const entry = {
      kind: "moved",
      at: now,
      application: fleet.application,
      machine: fleet.id(row),
      state: to,
    } as const;
    const { atOnce, grantSeconds } = group.record.policy;
    const holds = fleet.has(row, marks.live);
    const admission = admit({ atOnce, perPeriod: null }, this.#state.groupOf(fleet, row), { now, holds });
    return holds || admission.free ? { ...entry, until: now + grantSeconds * 1000 } : entry;
  }

  #failure(
    { verified, version, boot, words }: Report,
    { code, fellBack }: Extract<Reported, { kind: "failure" }>,
    { fleet, row, group, now }: Context,
  ): Ended | undefined {
    const state = fleet.state(row);
    const onTheWay = isUnderWay(state) || (state === "behind" && fleet.has(row, marks.lapsed));
    if (!onTheWay) return undefined;
    if (fellBack && !mayHaveFallenBack({ fleet, row, version, boot })) return undefined;
    const holdsGrant = fleet.has(row, marks.live);
    const counted = counts(group.record.policy, { verified, holdsGrant });
    const said = verified && words !== undefined ? clean(words) : "";
    return {
      kind: "ended",
      at: now,
      application: fleet.application,
      machine: fleet.id(row),
      how: "failed",
      ...(counted ? { counted } : {}),
      ...(code === 0 ? {} : { code }),
      ...(fellBack ? { fellBack } : {}),
      ...(said === "" ? {} : { words: said }),
    };
  }

  /** Whether the failure of this machine's target was one too many. */
  #brake({ fleet, row, group, now }: Context): Entry | undefined {
    const state: GroupState = this.#state.groupOf(fleet, row);
    const rollout = state.rollouts.get(fleet.target(row));
    if (rollout === undefined || rollout.halt !== undefined) return undefined;
    const by = trips(group.record.policy, rollout);
    if (by === undefined) return undefined;
    const good = this.#good(state, rollout);
    return {
      kind: "halted",
      at: now,
      application: state.application,
      group: state.name,
      version: rollout.version,
      by,
      failed: rollout.failed,
      results: rollout.ok + rollout.failed,
      ...(good === undefined ? {} : { good }),
    };
  }

  /** What is good is known better by now than when the rollout began. */
  #good(state: GroupState, { version: text, back }: Pick<Rollout, "version" | "back">): string | undefined {
    const version = this.#versions.of(text);
    return back || version === undefined ? undefined : lastGood(state, { text, version });
  }

  #lapsed({
    fleet,
    row,
    group,
    now,
  }: Omit<Context, "group"> & { readonly group: KnownGroup | undefined }): Entry {
    const entry = { kind: "ended", at: now, application: fleet.application, machine: fleet.id(row) } as const;
    // Whoever was well for as long as it had to has proved it.
    if (fleet.state(row) !== "proving") return { ...entry, how: "lapsed" };
    const counted =
      group === undefined ||
      counts(group.record.policy, { verified: fleet.has(row, marks.proven), holdsGrant: true });
    return { ...entry, how: "done", ...(counted ? { counted } : {}) };
  }

  #actionEntry(action: Action, at: number): Entry | undefined {
    const { application, who } = action;
    const where = { at, application, who: clean(who) };
    if ("group" in action) {
      const { group, version } = action;
      const state = this.#state.group(application, group);
      const rollout = state?.rollouts.get(version);
      if (action.do === "resume")
        return rollout?.halt === undefined ? undefined : { kind: "resumed", ...where, group, version };
      if (rollout?.halt !== undefined) return undefined;
      const { ok = 0, failed = 0, back = false } = rollout ?? {};
      const good = state === undefined ? undefined : this.#good(state, { version, back });
      return {
        kind: "halted",
        ...where,
        group,
        version,
        by: "person",
        failed,
        results: ok + failed,
        ...(good === undefined ? {} : { good }),
      };
    }
    const { machine } = action;
    if (this.#state.fleets.get(application)?.row(machine) === undefined) return undefined;
    if (action.do === "forget") return { kind: "forgotten", ...where, machine };
    return {
      kind: "cleared",
      ...where,
      machine,
      ...(action.version === undefined ? {} : { version: action.version }),
    };
  }
}

interface Context {
  readonly fleet: Fleet;
  readonly row: number;
  readonly group: KnownGroup;
  readonly now: number;
}

const readyReason = (version: string): Reason => ({ code: "ready", version });

/** What a check makes of a machine that is given nothing new. */
function stateAfter(reason: Reason | undefined, before: MachineState | undefined): MachineState | undefined {
  if (reason === undefined || reason.code === "ready") return undefined;
  if (reason.code === "current" || reason.code === "newer")
    return before === "proving" ? undefined : "current";
  return before === "failed" ? undefined : "behind";
}

/**
 * Whether a report of a fallback can be about what the machine was given last. update_engine repeats it with every
 * check of that boot, also when it was given something anew.
 */
function mayHaveFallenBack({
  fleet,
  row,
  version,
  boot = "",
}: {
  readonly fleet: Fleet;
  readonly row: number;
  readonly version: string;
  readonly boot?: string | undefined;
}): boolean {
  if (fleet.target(row) === version) return false;
  const state = fleet.state(row);
  if (state === "installed" || state === "proving" || boot === "") return true;
  const { boot: now, grantBoot } = fleet.at;
  return now[row] !== grantBoot[row];
}

/** Seconds until a machine has something to hope for, when that is known. */
function pollAfter(reason: Reason, { machine, wall }: { machine: string; wall: number }): number | undefined {
  if ((reason.code !== "window" && reason.code !== "wave" && reason.code !== "period") || "missing" in reason)
    return undefined;
  const opensAt = reason.code === "period" ? reason.nextAt : reason.opensAt;
  if (opensAt === undefined || opensAt <= wall) return undefined;
  return Math.ceil((opensAt - wall) / 1000) + (spreadOf(machine) % SPREAD_SECONDS);
}

/** The end of a machine id is as good as chance. */
function spreadOf(machine: string): number {
  let sum = 0;
  for (let place = 0; place < machine.length; place++) sum = (sum * 31 + machine.charCodeAt(place)) >>> 0;
  return sum;
}
