// Reads what the daemon sends. A form that is not known is an error with its place, never a page that shows
// `undefined`; fields that are new are left out.
import type {
  Change,
  Cluster,
  Heartbeat,
  Instance,
  InstanceReasons,
  InstanceState,
  InstanceTimeline,
  Leader,
  Machine,
  MachineState,
  MachineSystem,
  Operation,
  Survivability,
  Systems,
  Unit,
  UnitState,
} from "./records.ts";

export class FormError extends Error {
  override readonly name = "FormError";
}

type Decode<T> = (value: unknown, place: string) => T;
type Fields = Readonly<Record<string, unknown>>;

const fail = (place: string, wanted: string): never => {
  throw new FormError(`${place}: expected ${wanted}`);
};

const object = (value: unknown, place: string): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : fail(place, "an object");
const text: Decode<string> = (value, place) => (typeof value === "string" ? value : fail(place, "a text"));
const number: Decode<number> = (value, place) =>
  typeof value === "number" ? value : fail(place, "a number");
const flag: Decode<boolean> = (value, place) =>
  typeof value === "boolean" ? value : fail(place, "true or false");

const list =
  <T>(of: Decode<T>): Decode<readonly T[]> =>
  (value, place) =>
    Array.isArray(value) ? value.map((item, i) => of(item, `${place}[${i}]`)) : fail(place, "a list");

const nullable =
  <T>(of: Decode<T>): Decode<T | null> =>
  (value, place) =>
    value === null || value === undefined ? null : of(value, place);

const record =
  <T>(of: Decode<T>): Decode<Readonly<Record<string, T>>> =>
  (value, place) =>
    Object.fromEntries(
      Object.entries(object(value, place)).map(([key, item]) => [key, of(item, `${place}.${key}`)]),
    );

/** A word that this page does not know yet counts as the last one of the list. */
const word =
  <T extends string>(words: readonly T[]): Decode<T> =>
  (value, place) => {
    const given = text(value, place);
    return words.find((it) => it === given) ?? (words.at(-1) as T);
  };

const machineState = word<MachineState>(["up", "lost"]);
const unitState = word<UnitState>([
  "healthy",
  "loaded",
  "inactive",
  "starting",
  "waiting",
  "failed",
  "running",
  "succeeded",
  "degraded",
]);
const instanceState = word<InstanceState>([
  "waiting",
  "placed",
  "starting",
  "healthy",
  "unhealthy",
  "failed",
  "stopped",
  "loaded",
  "running",
  "succeeded",
  "unknown",
]);

const machine: Decode<Machine> = (value, place) => {
  const it = object(value, place);
  return {
    id: text(it.id, `${place}.id`),
    name: text(it.name, `${place}.name`),
    address: text(it.address, `${place}.address`),
    state: machineState(it.state, `${place}.state`),
    leader: flag(it.leader, `${place}.leader`),
    since: number(it.since, `${place}.since`),
    os: nullable((os, at) => {
      const { id, version, kernel } = object(os, at);
      return { id: text(id, at), version: text(version, at), kernel: text(kernel, at) };
    })(it.os, `${place}.os`),
    keeldVersion: text(it.keeldVersion, `${place}.keeldVersion`),
    capacity: nullable((capacity, at) => {
      const { cpus, memoryBytes } = object(capacity, at);
      return { cpus: number(cpus, at), memoryBytes: number(memoryBytes, at) };
    })(it.capacity, `${place}.capacity`),
    instances: number(it.instances, `${place}.instances`),
    cordoned: flag(it.cordoned ?? false, `${place}.cordoned`),
    drain: nullable((drain, at) => ({ reason: text(object(drain, at).reason, at) }))(
      it.drain,
      `${place}.drain`,
    ),
  };
};

const instance: Decode<Instance> = (value, place) => {
  const it = object(value, place);
  return {
    key: text(it.key, `${place}.key`),
    name: text(it.name, `${place}.name`),
    unit: text(it.unit, `${place}.unit`),
    machine: nullable(text)(it.machine, `${place}.machine`),
    machineName: nullable(text)(it.machineName, `${place}.machineName`),
    desired: text(it.desired, `${place}.desired`),
    state: instanceState(it.state, `${place}.state`),
    active: text(it.active, `${place}.active`),
    sub: text(it.sub, `${place}.sub`),
    since: nullable(number)(it.since, `${place}.since`),
    reason: text(it.reason, `${place}.reason`),
    failures: nullable((failures, at) => ({ count: number(object(failures, at).count, at) }))(
      it.failures,
      `${place}.failures`,
    ),
    because: text(it.because, `${place}.because`),
    addresses: list(text)(it.addresses, `${place}.addresses`),
    placed: nullable(number)(it.placed, `${place}.placed`),
    steps: record(number)(it.steps, `${place}.steps`),
    companion: flag(it.companion, `${place}.companion`),
  };
};

const rollout: Decode<NonNullable<Unit["rollout"]>> = (value, place) => {
  const { state, updated, reason } = object(value, place);
  return { state: text(state, place), updated: number(updated, place), reason: text(reason, place) };
};

const timer: Decode<NonNullable<Unit["timer"]>> = (value, place) => {
  const { next, last, outcome, reason } = object(value, place);
  return {
    next: number(next, place),
    last: number(last, place),
    outcome: text(outcome, place),
    reason: text(reason, place),
  };
};

const run: Decode<NonNullable<Unit["run"]>> = (value, place) => {
  const it = object(value, place);
  return {
    number: number(it.number, place),
    state: text(it.state, place),
    ended: number(it.ended, place),
    reason: text(it.reason, place),
  };
};

const unit: Decode<Unit> = (value, place) => {
  const it = object(value, place);
  return {
    name: text(it.name, `${place}.name`),
    desired: text(it.desired, `${place}.desired`),
    state: unitState(it.state, `${place}.state`),
    reason: text(it.reason, `${place}.reason`),
    wanted: number(it.wanted, `${place}.wanted`),
    healthy: number(it.healthy, `${place}.healthy`),
    owner: text(it.owner, `${place}.owner`),
    changed: number(it.changed, `${place}.changed`),
    rollout: nullable(rollout)(it.rollout, `${place}.rollout`),
    timer: nullable(timer)(it.timer, `${place}.timer`),
    run: nullable(run)(it.run, `${place}.run`),
  };
};

const operation: Decode<Operation> = (value, place) => {
  const it = object(value, place);
  return {
    id: text(it.id, `${place}.id`),
    summary: text(it.summary, `${place}.summary`),
    kind: text(it.kind, `${place}.kind`),
    who: text(it.who, `${place}.who`),
    via: text(it.via, `${place}.via`),
    at: number(it.at, `${place}.at`),
    expires: number(it.expires, `${place}.expires`),
    state: text(it.state, `${place}.state`),
    units: number(it.units, `${place}.units`),
    undoOf: nullable(text)(it.undoOf, `${place}.undoOf`),
    undoneBy: nullable(text)(it.undoneBy, `${place}.undoneBy`),
  };
};

const leader: Decode<Leader> = (value, place) => {
  const it = object(value, place);
  return { machine: text(it.machine, `${place}.machine`), name: nullable(text)(it.name, `${place}.name`) };
};

/** @throws FormError */
export function decodeCluster(value: unknown): Cluster {
  const it = object(value, "snapshot");
  return {
    revision: number(it.revision, "revision"),
    cluster: text(it.cluster, "cluster"),
    at: number(it.at, "at"),
    leader: nullable(leader)(it.leader, "leader"),
    machines: list(machine)(it.machines, "machines"),
    units: list(unit)(it.units, "units"),
    instances: list(instance)(it.instances, "instances"),
    alarms: record(text)(it.alarms, "alarms"),
    operations: list(operation)(it.operations, "operations"),
  };
}

/** @throws FormError */
export function decodeChange(value: unknown): Change {
  const it = object(value, "change");
  const removed = object(it.removed ?? {}, "removed");
  return {
    revision: number(it.revision, "revision"),
    at: number(it.at, "at"),
    removed: {
      machines: list(text)(removed.machines ?? [], "removed.machines"),
      units: list(text)(removed.units ?? [], "removed.units"),
      instances: list(text)(removed.instances ?? [], "removed.instances"),
    },
    ...(it.machines === undefined ? {} : { machines: list(machine)(it.machines, "machines") }),
    ...(it.units === undefined ? {} : { units: list(unit)(it.units, "units") }),
    ...(it.instances === undefined ? {} : { instances: list(instance)(it.instances, "instances") }),
    ...(it.leader === undefined ? {} : { leader: nullable(leader)(it.leader, "leader") }),
    ...(it.alarms === undefined ? {} : { alarms: record(text)(it.alarms, "alarms") }),
    ...(it.operations === undefined ? {} : { operations: list(operation)(it.operations, "operations") }),
  };
}

/** @throws FormError */
export function decodeHeartbeat(value: unknown): Heartbeat {
  const it = object(value, "heartbeat");
  const contact = object(it.contact, "contact");
  const silent = flag(contact.hasContact, "contact.hasContact")
    ? null
    : (nullable(number)(contact.ageMs, "contact.ageMs") ?? 0);
  return { revision: number(it.revision, "revision"), at: number(it.at, "at"), silentMs: silent };
}

/** @throws FormError */
export function decodeSurvivability(value: unknown): Survivability {
  const it = object(value, "survivability");
  return {
    answer: nullable(text)(it.answer, "answer"),
    isCurrent: flag(it.isCurrent, "isCurrent"),
    at: nullable(number)(it.at, "at"),
    words: text(it.words, "words"),
  };
}

const machineSystem: Decode<MachineSystem> = (value, place) => {
  const it = object(value, place);
  const failed: Decode<NonNullable<MachineSystem["slots"]>["failed"][number]> = (one, place_) => {
    const { version, reason, at } = object(one, place_);
    return { version: text(version, place_), reason: text(reason, place_), at: number(at, place_) };
  };
  return {
    machine: text(it.machine, `${place}.machine`),
    slots: nullable((system, at) => {
      const slots = object(system, at);
      return {
        version: text(slots.version, `${at}.version`),
        slot: text(slots.slot, `${at}.slot`),
        onTrial: flag(slots.onTrial, `${at}.onTrial`),
        next: nullable(text)(slots.next, `${at}.next`),
        other: nullable(text)(slots.other, `${at}.other`),
        failed: list(failed)(slots.failed, `${at}.failed`),
      };
    })(it.system, `${place}.system`),
    step: nullable((step, at) => {
      const { name, reason, progress } = object(step, at);
      return {
        name: text(name, `${at}.name`),
        reason: text(reason, `${at}.reason`),
        progress: nullable((bytes, where) => {
          const { done, total } = object(bytes, where);
          return { done: number(done, where), total: number(total, where) };
        })(progress, `${at}.progress`),
      };
    })(it.step, `${place}.step`),
  };
};

/** @throws FormError */
export function decodeSystems(value: unknown): Systems {
  const it = object(value, "system");
  const updateTo = nullable((update, at) => {
    const { to, state } = object(update, at);
    const ended = ["done", "aborted"].includes(text(state, `${at}.state`));
    return ended ? null : text(to, `${at}.to`);
  })(it.update, "system.update");
  return { updateTo, machines: list(machineSystem)(it.machines, "system.machines") };
}

/** @throws FormError */
export function decodeWhy(value: unknown): readonly InstanceReasons[] {
  const reason: Decode<InstanceReasons["reasons"][number]> = (one, place) => {
    const it = object(one, place);
    return { topic: text(it.topic, place), text: text(it.text, place) };
  };
  const instance: Decode<InstanceReasons> = (one, place) => {
    const it = object(one, place);
    return {
      name: text(it.name, `${place}.name`),
      waitsFor: text(it.waitsFor, `${place}.waitsFor`),
      reasons: list(reason)(it.reasons, `${place}.reasons`),
    };
  };
  return list(instance)(object(value, "why").instances, "why.instances");
}

/** @throws FormError */
export function decodeTimeline(value: unknown): readonly InstanceTimeline[] {
  const step: Decode<InstanceTimeline["steps"][number]> = (one, place) => {
    const it = object(one, place);
    return {
      kind: text(it.kind, `${place}.kind`),
      at: number(it.at, `${place}.at`),
      afterMs: number(it.afterMs, `${place}.afterMs`),
      tookMs: number(it.tookMs, `${place}.tookMs`),
      text: text(it.text, `${place}.text`),
      why: text(it.why, `${place}.why`),
    };
  };
  const instance: Decode<InstanceTimeline> = (one, place) => {
    const it = object(one, place);
    return {
      name: text(it.name, `${place}.name`),
      machineName: text(it.machineName, `${place}.machineName`),
      steps: list(step)(it.steps, `${place}.steps`),
      totalMs: number(it.totalMs, `${place}.totalMs`),
      isDone: flag(it.isDone, `${place}.isDone`),
    };
  };
  return list(instance)(object(value, "timeline").instances, "timeline.instances");
}
