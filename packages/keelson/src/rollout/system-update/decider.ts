// What the leader does about an update of the machines' system at each look. Machines write the release a few at a
// time; then, as many as may at once, each is drained, restarted, and put into service again when it runs the new
// version and has proved itself. Called through leader/deciders.ts; docs/operations/os-updates.md says what people see.
// Invariants: never more than `atOnce` machines are out of service, and never two members of the store; nobody's turn
// comes while another machine of the cluster is away; the first machine that fails halts everything behind it.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import { type Decider, type Decision, nothingToDo } from "../../model/decision.ts";
import type { MachineSettings } from "../../model/machine-settings.ts";
import type { RecordChange } from "../../model/record-kinds.ts";
import { sameRecord } from "../../model/record-kinds.ts";
import type { SystemOrder, SystemUpdate, UpdateStep } from "../../model/system-update.ts";
import { advance, dueAt, isUnderWay } from "./step.ts";

/** Machines that write the release at the same time: what serves it is not to be overrun. */
const stagingAtOnce = 4;

export const systemUpdateDecider: Decider = {
  name: "system updates",
  decide: ({ snapshot, wallMs, nowMs }) => {
    const { systemUpdate: update } = snapshot;
    if (update === undefined) return { ...nothingToDo, records: staleOrders(snapshot, undefined) };
    // An update that was given up still sees those through that were restarting, and takes back what was staged.
    if (update.state === "done" || (update.state === "aborted" && !isLeftOpen(update))) {
      return { ...nothingToDo, records: staleOrders(snapshot, undefined) };
    }
    const next = nextUpdate(update, snapshot, wallMs);
    const records = [
      ...change("system-update", "", update, next),
      ...settingsOf(update, next, { snapshot, wallMs }),
      ...ordersOf(next, snapshot),
    ];
    const due = next.machines.flatMap((machine) => {
      const step = next.steps[machine];
      return step === undefined ? [] : (dueAt({ snapshot, update: next, machine, step, wallMs }) ?? []);
    });
    return {
      records,
      operations: [],
      againMs: due.length === 0 ? undefined : nowMs + Math.max(0, Math.min(...due) - wallMs),
      awaitsReports: true,
    } satisfies Decision;
  },
};

function nextUpdate(update: SystemUpdate, snapshot: ClusterSnapshot, wallMs: number): SystemUpdate {
  const steps: Record<string, UpdateStep> = {};
  // A machine that was removed from the cluster has no part in it any more.
  const machines = update.machines.filter((machine) => snapshot.members.has(machine));
  for (const machine of machines) {
    const step = update.steps[machine] ?? { name: "waiting", since: wallMs, reason: "" };
    const isLeft = update.state === "aborted" && !isUnderWay(step) && step.name !== "staged";
    const to = isLeft ? step : advance({ snapshot, update, machine, step, wallMs });
    const bootId = snapshot.machines.get(machine)?.bootId;
    const begins = to.name === "restarting" && step.name !== "restarting";
    // Which boot is to end must be known before it is asked to.
    if (begins && bootId === undefined) steps[machine] = moved(step, { ...step, reason: "is away" }, wallMs);
    else
      steps[machine] = { ...moved(step, to, wallMs), ...(begins && bootId !== undefined ? { bootId } : {}) };
  }
  const broken = machines.find((machine) => steps[machine]?.name === "failed");
  const all = Object.values(steps);
  if (update.state === "running" && broken === undefined)
    beginTurns({ ...update, machines }, steps, { snapshot, wallMs });
  const isOver = update.state !== "aborted" && all.every(({ name }) => name === "done");
  const state = isOver
    ? "done"
    : broken !== undefined && update.state === "running"
      ? "halted"
      : update.state;
  const reason =
    state === "done"
      ? ""
      : state === "halted" && broken !== undefined
        ? `${nameOf(broken, snapshot)} ${steps[broken]?.reason}`
        : state === "running"
          ? heldBy(update, snapshot)
          : update.reason;
  const next = { ...update, machines, steps, state, reason };
  return sameRecord(next, update) ? update : { ...next, changed: wallMs };
}

/** Gives turns: to write the release, and to go out of service. */
function beginTurns(
  update: SystemUpdate,
  steps: Record<string, UpdateStep>,
  { snapshot, wallMs }: { readonly snapshot: ClusterSnapshot; readonly wallMs: number },
): void {
  const isRollback = update.to === "previous";
  const count = (test: (step: UpdateStep) => boolean): number => Object.values(steps).filter(test).length;
  for (const machine of update.machines) {
    const step = steps[machine];
    if (step?.name !== "waiting") continue;
    if (isRollback) steps[machine] = moved(step, { name: "staged", reason: "waits for its turn" }, wallMs);
    else if (count(({ name }) => name === "staging") < stagingAtOnce) {
      steps[machine] = moved(step, { name: "staging", reason: "" }, wallMs);
    }
  }
  if (heldBy(update, snapshot) !== "") return;
  for (const machine of update.machines) {
    const step = steps[machine];
    if (step?.name !== "staged" || count(isUnderWay) >= update.atOnce) continue;
    if (!snapshot.machines.has(machine)) continue;
    const others = update.machines.filter((one) => one !== machine && isUnderWay(steps[one] ?? step));
    if (isStoreMember(machine, snapshot) && others.some((one) => isStoreMember(one, snapshot))) continue;
    const settings = snapshot.machineSettings.get(machine);
    steps[machine] = {
      ...moved(step, { name: "draining", reason: "" }, wallMs),
      wasCordoned: settings?.cordoned === true,
    };
  }
}

/** Why nobody's turn comes, in words: a machine that is away is one that must not be followed by another. */
function heldBy(update: SystemUpdate, snapshot: ClusterSnapshot): string {
  const away = [...snapshot.members.values()].filter(({ id }) => {
    const step = update.steps[id];
    return !snapshot.machines.has(id) && (step === undefined || !isUnderWay(step));
  });
  if (away.length === 0)
    return snapshot.alarms.size === 0 ? "" : `waits: ${[...snapshot.alarms.values()][0]}`;
  return `waits for ${away.map(({ name }) => name).join(", ")}, which ${away.length === 1 ? "is" : "are"} away`;
}

const isStoreMember = (machine: string, { systemReports }: ClusterSnapshot): boolean =>
  systemReports.get(machine)?.keepsStore === true;

function moved(step: UpdateStep, to: Pick<UpdateStep, "name" | "reason">, wallMs: number): UpdateStep {
  if (step.name === to.name) return step.reason === to.reason ? step : { ...step, reason: to.reason };
  return { ...step, ...to, since: wallMs };
}

/** Drains for those whose turn has come; into service again for those that are through it. */
function settingsOf(
  before: SystemUpdate,
  after: SystemUpdate,
  { snapshot, wallMs }: { readonly snapshot: ClusterSnapshot; readonly wallMs: number },
): RecordChange[] {
  return after.machines.flatMap((machine) => {
    const step = after.steps[machine];
    const was = before.steps[machine];
    const settings = snapshot.machineSettings.get(machine);
    if (step?.name === "draining" && settings?.drain === undefined) {
      const deadline =
        after.drainSeconds === undefined ? {} : { deadline: wallMs + after.drainSeconds * 1000 };
      const drain = { since: wallMs, ...deadline, reason: `system update to ${after.to}` };
      const base = settings ?? { machine, cordoned: false, metadata: {} };
      return change("machine-settings", machine, settings, { ...base, cordoned: true, drain });
    }
    // A machine that went back is well, and of use; one that did not come back is away in any case.
    const isThrough = step?.name === "done" || step?.name === "failed";
    if (!isThrough || was === undefined || !isUnderWay(was) || settings === undefined) return [];
    const { drain: _, ...rest } = settings;
    const put: MachineSettings = { ...rest, cordoned: step.wasCordoned === true };
    const isEmpty = !put.cordoned && Object.keys(put.metadata).length === 0;
    return change("machine-settings", machine, settings, isEmpty ? undefined : put);
  });
}

function ordersOf(update: SystemUpdate, snapshot: ClusterSnapshot): RecordChange[] {
  const orders = new Map<string, SystemOrder>();
  for (const machine of update.machines) {
    const step = update.steps[machine];
    const action = actionOf(step, update);
    const bootId = step?.bootId ?? snapshot.machines.get(machine)?.bootId;
    if (action === undefined || bootId === undefined) continue;
    const { id, to, source } = update;
    orders.set(machine, {
      machine,
      update: id,
      action,
      to,
      bootId,
      ...(source === undefined ? {} : { source }),
      ...(step?.again === true ? { again: true } : {}),
    });
  }
  const wanted = [...orders].flatMap(([machine, order]) =>
    change("system-order", machine, snapshot.systemOrders.get(machine), order),
  );
  return [...wanted, ...staleOrders(snapshot, orders)];
}

function staleOrders(
  snapshot: ClusterSnapshot,
  wanted: ReadonlyMap<string, SystemOrder> | undefined,
): RecordChange[] {
  return [...snapshot.systemOrders].flatMap(([machine, order]) =>
    wanted?.has(machine) === true ? [] : change("system-order", machine, order, undefined),
  );
}

function change(kind: RecordChange["kind"], name: string, before: unknown, after: unknown): RecordChange[] {
  if (sameRecord(before, after)) return [];
  return [
    { kind, name, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) },
  ];
}

function actionOf(step: UpdateStep | undefined, { state }: SystemUpdate): SystemOrder["action"] | undefined {
  if (step?.name === "staging") return "stage";
  if (step?.name === "restarting") return "restart";
  return step?.name === "staged" && state === "aborted" ? "cancel" : undefined;
}

const isLeftOpen = ({ steps }: SystemUpdate): boolean =>
  Object.values(steps).some((step) => isUnderWay(step) || step.name === "staged");
const nameOf = (id: string, { members }: ClusterSnapshot): string => members.get(id)?.name ?? id.slice(0, 8);
