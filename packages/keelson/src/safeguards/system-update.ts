// What people ask of the machines' operating system: to another version, back, and to pause, go on or end that.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Member } from "../model/machine.ts";
import type { MachineSettings } from "../model/machine-settings.ts";
import type { Intent } from "../model/operation.ts";
import type { RecordChange } from "../model/record-kinds.ts";
import { isOpenUpdate, type SystemReport, type SystemUpdate } from "../model/system-update.ts";
import type { UpdateStep } from "../model/system-update.ts";
import { compareNames } from "../model/unit-name.ts";
import { listNames, type Draft, type PlanInput } from "./draft.ts";
import { findMember } from "./machine-removal.ts";

type UpdateIntent = Extract<Intent, { kind: "update-system" }>;

interface Candidate {
  readonly member: Member;
  readonly report: SystemReport;
}

/**
 * An update of the system of machines, or a return to what their other slots hold.
 * @throws KeelError KEEL-104, KEEL-502, KEEL-871, KEEL-872, KEEL-874
 */
export function planUpdateSystem(intent: UpdateIntent, input: PlanInput, id: string): Draft {
  const { snapshot, context } = input;
  const { to, source } = intent;
  if (to !== "previous" && source === undefined)
    throw new KeelError("KEEL-104", "an update needs a source of the release", {
      hint: "--from names a folder on the machines, or an address",
    });
  refuseSecond(snapshot);
  const { candidates, notes } = candidatesOf(intent, snapshot);
  const isThere = ({ report }: Candidate): boolean => report.version === to && !report.onTrial;
  const turns = inOrder(
    candidates.filter((one) => !isThere(one)),
    snapshot,
  );
  if (!intent.again) refuseFailed(to, turns);
  const unchanged = candidates.filter(isThere).map(({ member }) => member.name);
  const names = turns.map(({ member }) => member.name);
  const summary =
    to === "previous"
      ? `take ${machinesInWords(names)} back to the version before`
      : `update the system of ${machinesInWords(names)} to ${to}`;
  if (turns.length === 0) return { changes: [], summary, unchanged, notes };
  const waiting: UpdateStep = { name: "waiting", since: context.nowMs, reason: "" };
  const step = intent.again ? { ...waiting, again: true } : waiting;
  const after: SystemUpdate = {
    id,
    to,
    ...(source === undefined ? {} : { source }),
    atOnce: intent.atOnce,
    ...(intent.drainSeconds === undefined ? {} : { drainSeconds: intent.drainSeconds }),
    state: "running",
    reason: "",
    machines: turns.map(({ member }) => member.id),
    steps: Object.fromEntries(turns.map(({ member }) => [member.id, step])),
    started: context.nowMs,
    changed: context.nowMs,
  };
  return {
    changes: [],
    records: [change(snapshot.systemUpdate, after)],
    summary,
    unchanged,
    notes: [...notes, ...notesOn(turns, intent)],
  };
}

/** @throws KeelError KEEL-873 */
export function planSystemUpdate(
  { action }: Extract<Intent, { kind: "system-update" }>,
  { snapshot, context }: PlanInput,
): Draft {
  const update = snapshot.systemUpdate;
  if (update === undefined)
    throw new KeelError("KEEL-873", "No update of the machines’ system was ever asked for.");
  const summary = `${action} the update of the machines’ system to ${update.to}`;
  if (update.state === targets[action]) return { changes: [], unchanged: ["the update"], summary };
  if (!mayFollow[action].includes(update.state)) {
    throw new KeelError("KEEL-873", `The update is ${update.state}: it cannot be ${words[action]}.`, {
      details: { update: update.id, state: update.state },
    });
  }
  const reason = `${words[action]} by ${context.who}`;
  if (action === "abort")
    return { changes: [], records: aborted(snapshot, update, { reason, context }), summary };
  const steps = action === "resume" ? retried(update, context.nowMs) : update.steps;
  const after: SystemUpdate = {
    ...update,
    steps,
    state: targets[action],
    reason: action === "resume" ? "" : reason,
    changed: context.nowMs,
  };
  return { changes: [], records: [change(update, after)], summary };
}

/** Takes an open update back: nobody else's turn comes, and who was only getting ready takes units again. */
export function aborted(
  snapshot: ClusterSnapshot,
  update: SystemUpdate,
  { reason, context }: { readonly reason: string; readonly context: Pick<PlanInput["context"], "nowMs"> },
): RecordChange[] {
  const { nowMs } = context;
  const settings: RecordChange[] = [];
  const steps: Record<string, UpdateStep> = {};
  for (const [machine, step] of Object.entries(update.steps)) {
    // What is staged is taken back by the machine: until then it would start with any restart.
    const isStaged = step.name === "staged" || step.name === "draining";
    if (isStaged) steps[machine] = { name: "staged", since: nowMs, reason };
    else steps[machine] = step.name === "staging" ? { name: "waiting", since: nowMs, reason } : step;
    if (step.name === "draining") settings.push(...inServiceAgain(machine, step, snapshot));
  }
  return [change(update, { ...update, steps, state: "aborted", reason, changed: nowMs }), ...settings];
}

const targets = { pause: "paused", resume: "running", abort: "aborted" } as const;
const words = { pause: "paused", resume: "resumed", abort: "aborted" } as const;
const mayFollow: Readonly<Record<keyof typeof targets, readonly SystemUpdate["state"][]>> = {
  pause: ["running"],
  resume: ["paused", "halted", "aborted"],
  abort: ["running", "paused", "halted"],
};

/** Who failed gets another turn, and what was taken back is written again. */
function retried({ steps, state }: SystemUpdate, nowMs: number): SystemUpdate["steps"] {
  const waiting: UpdateStep = { name: "waiting", since: nowMs, reason: "" };
  const next = (step: UpdateStep): UpdateStep => {
    if (step.name === "failed") return { ...waiting, again: true };
    return step.name === "staged" && state === "aborted" ? waiting : step;
  };
  return Object.fromEntries(Object.entries(steps).map(([machine, step]) => [machine, next(step)]));
}

function inServiceAgain(
  machine: string,
  { wasCordoned }: UpdateStep,
  { machineSettings }: ClusterSnapshot,
): RecordChange[] {
  const before = machineSettings.get(machine);
  if (before?.drain === undefined) return [];
  const { drain: _, ...rest } = before;
  const after: MachineSettings = { ...rest, cordoned: wasCordoned === true };
  const isEmpty = !after.cordoned && Object.keys(after.metadata).length === 0;
  return [{ kind: "machine-settings", name: machine, before, ...(isEmpty ? {} : { after }) }];
}

function refuseSecond({ systemUpdate: update }: ClusterSnapshot): void {
  if (!isOpenUpdate(update)) return;
  const reason = update.reason === "" ? "" : ` (${update.reason})`;
  throw new KeelError("KEEL-871", `The update to ${update.to} is ${update.state}${reason}.`, {
    hint:
      update.state === "running"
        ? "`keel os status --all` shows how far it is; `keel os abort` ends it."
        : "`keel os resume` goes on with it, `keel os abort` ends it.",
    details: { update: update.id, state: update.state },
  });
}

function candidatesOf(
  { machines: asked, to, again }: UpdateIntent,
  snapshot: ClusterSnapshot,
): { readonly candidates: readonly Candidate[]; readonly notes: readonly string[] } {
  const isAll = "all" in asked;
  const named = isAll
    ? [...snapshot.members.values()]
    : asked.names.map((name) => findMember(name, snapshot));
  const members = [...new Map(named.map((member) => [member.id, member])).values()];
  const candidates: Candidate[] = [];
  const without: string[] = [];
  const alone: string[] = [];
  for (const member of members) {
    const report = snapshot.systemReports.get(member.id);
    if (report === undefined) without.push(member.name);
    else if (to === "previous" && !canGoBack(report, again)) alone.push(member.name);
    else candidates.push({ member, report });
  }
  const notes = [
    ...(without.length === 0 ? [] : [`${slotless(without)}: left as ${itOrThey(without)}`]),
    ...(alone.length === 0 ? [] : [`${otherless(alone)}: left as ${itOrThey(alone)}`]),
  ];
  const left = [...without, ...alone];
  if (candidates.length > 0 && (isAll || left.length === 0)) return { candidates, notes };
  const message =
    left.length === 0
      ? "The cluster has no machines."
      : capital(`${without.length > 0 ? slotless(without) : otherless(alone)}.`);
  throw new KeelError("KEEL-872", message, { details: { machines: left } });
}

/** What failed there is nothing to go back to; an update that waits for its restart is taken back. */
const canGoBack = ({ other, next, failed }: SystemReport, again: boolean): boolean =>
  next !== undefined || (other !== undefined && (again || failed.every(({ version }) => version !== other)));

const slotless = (names: readonly string[]): string =>
  `${listNames(names)} ${names.length === 1 ? "does not run" : "do not run"} from one of two slots`;
const otherless = (names: readonly string[]): string =>
  `${listNames(names)} ${names.length === 1 ? "has" : "have"} no good version in the other slot to go back to`;
const itOrThey = (names: readonly string[]): string => (names.length === 1 ? "it is" : "they are");
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The store's members come last and the leader at the very end: less moves, and what is bad shows earlier. */
function inOrder(candidates: readonly Candidate[], { leader }: ClusterSnapshot): readonly Candidate[] {
  const rank = ({ member, report }: Candidate): number =>
    (report.keepsStore ? 1 : 0) + (member.id === leader ? 2 : 0);
  return candidates.toSorted((a, b) => rank(a) - rank(b) || compareNames(a.member.name, b.member.name));
}

function refuseFailed(to: string, turns: readonly Candidate[]): void {
  for (const { member, report } of turns) {
    const known = report.failed.findLast(({ version }) => version === to);
    if (known === undefined) continue;
    throw new KeelError("KEEL-874", `${member.name} went back from ${to} before: ${known.reason}.`, {
      hint: "Take another version; --again tries it once more.",
      details: { machine: member.id, version: to, at: known.at },
    });
  }
}

function notesOn(turns: readonly Candidate[], { atOnce, to }: UpdateIntent): readonly string[] {
  const names = turns.map(({ member }) => member.name);
  const shown = names.slice(0, 10).join(", ") + (names.length > 10 ? ` and ${names.length - 10} more` : "");
  const members = turns.filter(({ report }) => report.keepsStore).map(({ member }) => member.name);
  const pace = atOnce === 1 ? "one at a time" : `${atOnce} at a time`;
  return [
    `each is drained, restarted and proven before the next, ${pace}: ${shown}`,
    ...(members.length === 0
      ? []
      : [`${listNames(members)} ${members.length === 1 ? "keeps" : "keep"} the store, never two at a time`]),
    ...turns
      .flatMap(({ member, report }) =>
        to !== "previous"
          ? []
          : report.next === undefined
            ? [`${member.name} goes from ${report.version} back to ${report.other}`]
            : [
                `${member.name} gives up ${report.next}, which waits for its restart, and keeps ${report.version}`,
              ],
      )
      .slice(0, 10),
  ];
}

/** "m1", "m1 and m2", "m1 and 4 more". */
const machinesInWords = (names: readonly string[]): string => listNames(names);

const change = (before: SystemUpdate | undefined, after: SystemUpdate): RecordChange => ({
  kind: "system-update",
  name: "",
  ...(before === undefined ? {} : { before }),
  after,
});
