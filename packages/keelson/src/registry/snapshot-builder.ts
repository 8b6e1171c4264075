// Puts the store's records together to a ClusterSnapshot. A snapshot shares what did not change with the one
// before it. A record that cannot be read is left out and named; it never stops the others.
import { describeError } from "../base/errors.ts";
import { type ClusterSnapshot, emptyCluster } from "../model/cluster.ts";
import { imageCodec } from "../model/image.ts";
import { jobCodec, timerCodec } from "../model/job.ts";
import { keys, machineAndUnit, nameIn, prefixes } from "../model/keys.ts";
import { machineCodec, memberCodec } from "../model/machine.ts";
import {
  type ClusterSettings,
  clusterSettingsCodec,
  defaultClusterSettings,
  machineSettingsCodec,
} from "../model/machine-settings.ts";
import { moveCodec } from "../model/move.ts";
import { operationCodec } from "../model/operation.ts";
import { scheduleCodec, statusCodec } from "../model/schedule.ts";
import { rolloutCodec, versionsCodec } from "../model/rollout.ts";
import { checkName, type RecordCodec } from "../model/record.ts";
import {
  systemOrderCodec,
  systemReportCodec,
  type SystemUpdate,
  systemUpdateCodec,
} from "../model/system-update.ts";
import { unitCodec } from "../model/unit.ts";
import { OverlayMap } from "./overlay-map.ts";
import type { StoreEvent } from "./store-client.ts";

/** One key's new value; undefined when it was deleted. */
export type KeyChange = Pick<StoreEvent, "key" | "createRevision"> & {
  readonly value: Uint8Array | undefined;
};

type Changes = Map<string, unknown>;
const plainKinds = [
  "machines",
  "members",
  "units",
  "operations",
  "images",
  "alarms",
  "machineSettings",
  "moves",
  "rollouts",
  "versions",
  "jobs",
  "timers",
  "systemOrders",
  "systemReports",
] as const;
type PlainKind = (typeof plainKinds)[number];
type PerMachineKind = "schedule" | "statuses";

/** Records of which there is one. */
type Single = { readonly settings?: ClusterSettings; readonly systemUpdate?: SystemUpdate | undefined };

interface Sink {
  single: Single;
  readonly plain: Record<PlainKind, Changes>;
  readonly perMachine: Record<PerMachineKind, Map<string, Changes>>;
}

const alarmPrefix = keys.alarm("");
const textDecoder = new TextDecoder();

export class SnapshotBuilder {
  readonly #onDamage: (key: string, reason: string) => void;
  /** Candidates for leader by key, with the create revision: the oldest leads. */
  #candidates: ReadonlyMap<string, { readonly machine: string; readonly since: number }> = new Map();
  #snapshot: ClusterSnapshot = emptyCluster;

  /** `onDamage` hears of each record that could not be read, and with the reason "" when it is sound again or gone. */
  constructor(onDamage: (key: string, reason: string) => void) {
    this.#onDamage = onDamage;
  }

  get snapshot(): ClusterSnapshot {
    return this.#snapshot;
  }

  /** Starts over with exactly these records. */
  reset(revision: number, records: Iterable<KeyChange>): ClusterSnapshot {
    const parts = this.startOver(revision);
    parts.add(records);
    return parts.finish();
  }

  /** Starts over: `add` takes records, part by part; the snapshot changes only when `finish` puts them together. */
  startOver(revision: number): {
    readonly add: (records: Iterable<KeyChange>) => void;
    readonly finish: () => ClusterSnapshot;
  } {
    const sink = newSink();
    const former = this.#candidates;
    let candidates: typeof former = new Map();
    return {
      add: (records) => {
        this.#candidates = candidates;
        for (const record of records) this.#take(sink, record);
        candidates = this.#candidates;
        this.#candidates = former;
      },
      finish: () => {
        this.#snapshot = emptyCluster;
        this.#candidates = candidates;
        return this.#merge(revision, sink);
      },
    };
  }

  /** The snapshot after these changes; those of one key must be in order. */
  apply(revision: number, changes: Iterable<KeyChange>): ClusterSnapshot {
    const sink = newSink();
    for (const change of changes) this.#take(sink, change);
    return this.#merge(revision, sink);
  }

  #merge(revision: number, sink: Sink): ClusterSnapshot {
    const before = this.#snapshot;
    this.#snapshot = {
      revision,
      machines: merge(before.machines, sink.plain.machines),
      members: merge(before.members, sink.plain.members),
      units: merge(before.units, sink.plain.units),
      operations: merge(before.operations, sink.plain.operations),
      images: merge(before.images, sink.plain.images),
      alarms: merge(before.alarms, sink.plain.alarms),
      machineSettings: merge(before.machineSettings, sink.plain.machineSettings),
      moves: merge(before.moves, sink.plain.moves),
      rollouts: merge(before.rollouts, sink.plain.rollouts),
      versions: merge(before.versions, sink.plain.versions),
      jobs: merge(before.jobs, sink.plain.jobs),
      timers: merge(before.timers, sink.plain.timers),
      systemOrders: merge(before.systemOrders, sink.plain.systemOrders),
      systemReports: merge(before.systemReports, sink.plain.systemReports),
      settings: before.settings,
      systemUpdate: before.systemUpdate,
      ...sink.single,
      schedule: mergeNested(before.schedule, sink.perMachine.schedule),
      statuses: mergeNested(before.statuses, sink.perMachine.statuses),
      leader: oldest(this.#candidates),
    };
    return this.#snapshot;
  }

  #take(sink: Sink, change: KeyChange): void {
    const { key, value } = change;
    const place = placeOf(key);
    if (place === undefined) return;
    if (place.kind === "leader") return this.#takeCandidate(change);
    let record: unknown;
    try {
      record = value === undefined ? undefined : place.read(key, value, place.name);
      this.#onDamage(key, "");
    } catch (error) {
      this.#onDamage(key, describeError(error));
    }
    if (place.kind === "settings") {
      sink.single = {
        ...sink.single,
        settings: (record as ClusterSettings | undefined) ?? defaultClusterSettings,
      };
    } else if (place.kind === "systemUpdate") {
      sink.single = { ...sink.single, systemUpdate: record as SystemUpdate | undefined };
    } else if (place.machine === undefined) {
      sink.plain[place.kind].set(place.name, record);
    } else {
      const nested = sink.perMachine[place.kind];
      const ofMachine = nested.get(place.machine) ?? new Map<string, unknown>();
      nested.set(place.machine, ofMachine.set(place.name, record));
    }
  }

  #takeCandidate({ key, value, createRevision }: KeyChange): void {
    const candidates = new Map(this.#candidates);
    if (value === undefined) candidates.delete(key);
    else candidates.set(key, { machine: textDecoder.decode(value), since: createRevision });
    this.#candidates = candidates;
  }
}

type Read = (key: string, value: Uint8Array, name: string) => unknown;
type Place =
  | { readonly kind: "leader" }
  | {
      readonly kind: "settings" | "systemUpdate";
      readonly machine: undefined;
      readonly name: string;
      readonly read: Read;
    }
  | { readonly kind: PlainKind; readonly machine: undefined; readonly name: string; readonly read: Read }
  | { readonly kind: PerMachineKind; readonly machine: string; readonly name: string; readonly read: Read };

const reading =
  <T>(codec: RecordCodec<T>, ownName: (record: T) => string = () => ""): Read =>
  (key, value, name) => {
    const record = codec.decode(key, value);
    checkName(key, { own: ownName(record), name });
    return record;
  };

const plainPlaces: readonly (readonly [prefix: string, kind: PlainKind, read: Read])[] = [
  [prefixes.machines, "machines", reading(machineCodec, ({ id }) => id)],
  [prefixes.members, "members", reading(memberCodec, ({ id }) => id)],
  [prefixes.units, "units", reading(unitCodec, ({ name }) => name)],
  [prefixes.operations, "operations", reading(operationCodec, ({ id }) => id)],
  [prefixes.images, "images", reading(imageCodec, ({ name }) => name)],
  [prefixes.machineSettings, "machineSettings", reading(machineSettingsCodec, ({ machine }) => machine)],
  [prefixes.moves, "moves", reading(moveCodec, ({ instance }) => instance)],
  [prefixes.rollouts, "rollouts", reading(rolloutCodec, ({ unit }) => unit)],
  [prefixes.versions, "versions", reading(versionsCodec, ({ unit }) => unit)],
  [prefixes.jobs, "jobs", reading(jobCodec, ({ name }) => name)],
  [prefixes.timers, "timers", reading(timerCodec, ({ name }) => name)],
  [prefixes.systemOrders, "systemOrders", reading(systemOrderCodec, ({ machine }) => machine)],
  [prefixes.systemReports, "systemReports", reading(systemReportCodec, ({ machine }) => machine)],
  [alarmPrefix, "alarms", (_key, value) => textDecoder.decode(value)],
];
const perMachinePlaces: readonly (readonly [prefix: string, kind: PerMachineKind, read: Read])[] = [
  [prefixes.schedule, "schedule", reading(scheduleCodec, ({ unit }) => unit)],
  [prefixes.status, "statuses", reading(statusCodec, ({ unit }) => unit)],
];

function placeOf(key: string): Place | undefined {
  for (const [prefix, kind, read] of perMachinePlaces) {
    const parts = machineAndUnit(prefix, key);
    if (parts) return { kind, machine: parts.machine, name: parts.unit, read };
  }
  for (const [prefix, kind, read] of plainPlaces) {
    const name = nameIn(prefix, key);
    if (name) return { kind, machine: undefined, name: kind === "images" ? imageName(name) : name, read };
  }
  if (key === keys.clusterSettings)
    return { kind: "settings", machine: undefined, name: "", read: reading(clusterSettingsCodec) };
  if (key === keys.systemUpdate)
    return { kind: "systemUpdate", machine: undefined, name: "", read: reading(systemUpdateCodec) };
  return nameIn(prefixes.leader, key) === undefined ? undefined : { kind: "leader" };
}

function imageName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

function newSink(): Sink {
  const plain = Object.fromEntries(plainKinds.map((kind) => [kind, new Map<string, unknown>()]));
  return {
    single: {},
    plain: plain as Record<PlainKind, Changes>,
    perMachine: { schedule: new Map(), statuses: new Map() },
  };
}

function merge<V>(before: ReadonlyMap<string, V>, changes: Changes): ReadonlyMap<string, V> {
  if (changes.size === 0) return before;
  const map = before instanceof OverlayMap ? (before as OverlayMap<V>) : OverlayMap.from(before);
  return map.with(changes as Map<string, V | undefined>);
}

function mergeNested<V>(
  before: ReadonlyMap<string, ReadonlyMap<string, V>>,
  changes: ReadonlyMap<string, Changes>,
): ReadonlyMap<string, ReadonlyMap<string, V>> {
  const outer: Changes = new Map();
  for (const [machine, inner] of changes) {
    const merged = merge<V>(before.get(machine) ?? OverlayMap.empty<V>(), inner);
    outer.set(machine, merged.size === 0 ? undefined : merged);
  }
  return merge(before, outer);
}

function oldest(candidates: ReadonlyMap<string, { readonly machine: string; readonly since: number }>) {
  let first: { readonly machine: string; readonly since: number } | undefined;
  for (const candidate of candidates.values()) {
    if (first === undefined || candidate.since < first.since) first = candidate;
  }
  return first?.machine;
}
