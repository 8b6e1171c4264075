// One instance of a unit in a rollout: which version it is to have, and how it is doing with it.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { DeciderScene } from "../model/decision.ts";
import { instancesOf } from "../model/instances.ts";
import type { ScheduleEntry, UnitStatus } from "../model/schedule.ts";
import type { Unit } from "../model/unit.ts";
import { compareNames } from "../model/unit-name.ts";
import { rolloutKey, type VersionReader } from "../model/version-of.ts";

/**
 * `underway`: the machine has yet to answer its order, or does not report: it may be running as it was.
 * `down`: it does not run as ordered, and is not on its way to. `homeless`: it has no machine.
 */
export type Condition = "healthy" | "starting" | "failed" | "down" | "homeless" | "underway";

export interface Member {
  /** As the rollout names it. */
  readonly key: string;
  /** The hash that it is to have. */
  readonly version: string;
  readonly condition: Condition;
  /** What is wrong, in words: "web@2.container failed on m1: exit status 1"; empty when it is healthy. */
  readonly trouble: string;
  /** systemd's invocation; empty when it does not run. */
  readonly invocation: string;
  /** Unix milliseconds of its machine, since when it is so. */
  readonly since: number;
  /** Of one without a machine: that none takes it as things stand. */
  readonly isRefused?: boolean;
}

export interface Place {
  readonly machine: string;
  readonly entry: ScheduleEntry;
  readonly status: UnitStatus | undefined;
}

/** Orders by instance, of those that `matters` names; companions left out. */
export function placesOf(
  { schedule, statuses }: ClusterSnapshot,
  matters: (instance: string) => boolean,
): ReadonlyMap<string, readonly Place[]> {
  const places = new Map<string, Place[]>();
  for (const [machine, entries] of schedule) {
    for (const entry of entries.values()) {
      if (entry.companion || !matters(entry.unit)) continue;
      const place = { machine, entry, status: statuses.get(machine)?.get(entry.unit) };
      const known = places.get(entry.unit);
      if (known === undefined) places.set(entry.unit, [place]);
      else known.push(place);
    }
  }
  return places;
}

interface MemberSources {
  readonly snapshot: ClusterSnapshot;
  readonly unplaced: DeciderScene["unplaced"];
  readonly places: ReadonlyMap<string, readonly Place[]>;
  readonly versions: VersionReader;
  readonly isGlobal: boolean;
}

/** The instances that are wanted, in the order of their numbers; of a global unit, one for each machine that reports. */
export function membersOf(unit: Unit, sources: MemberSources): Member[] {
  const { places, versions, isGlobal } = sources;
  const { snapshot } = sources;
  const names = instancesOf(unit, snapshot.units).map(({ name }) => name);
  if (!isGlobal) {
    return names.map((name) => {
      const found = places.get(name) ?? [];
      const taker = found.length > 1 ? found.find(({ entry }) => entry.takesOver !== undefined) : undefined;
      if (taker !== undefined) return handedOver(name, { taker, version: versions(name) }, snapshot);
      return member({ name, key: name, place: found[0] }, versions(name), sources);
    });
  }
  const machineName = (id: string): string => snapshot.machines.get(id)?.name ?? id;
  return names.flatMap((name) =>
    (places.get(name) ?? [])
      .filter(({ machine }) => snapshot.machines.has(machine))
      .toSorted((a, b) => compareNames(machineName(a.machine), machineName(b.machine)))
      .map((place) =>
        member({ name, key: rolloutKey(name, place.machine), place }, versions(name, place.machine), sources),
      ),
  );
}

function member(
  { name, key, place }: { readonly name: string; readonly key: string; readonly place: Place | undefined },
  version: string,
  { snapshot: { machines }, unplaced }: MemberSources,
): Member {
  const as = (condition: Condition, trouble: string): Member => ({
    key,
    version,
    condition,
    trouble,
    invocation: place?.status?.invocation ?? "",
    since: place?.status?.since ?? 0,
  });
  if (place === undefined) {
    const refused = unplaced?.get(name);
    const why = refused?.final === true ? `: ${refused.reason}` : "";
    return { ...as("homeless", `${name} has no machine${why}`), isRefused: refused?.final === true };
  }
  const { machine, entry, status } = place;
  const where = machines.get(machine)?.name;
  if (where === undefined) return as("underway", `${name}: its machine does not report`);
  const what = (words: string): string => {
    const reason = status?.reason ?? "";
    return `${name} ${words} on ${where}${reason === "" ? "" : `: ${reason}`}`;
  };
  // It was to be started elsewhere first, and goes on here as it was; the leader has yet to forget that otherwise.
  if (entry.failedHandover !== undefined && entry.failedHandover.hash !== entry.hash) {
    const { hash, reason } = entry.failedHandover;
    return as(hash === version ? "failed" : "underway", `${name}: ${reason}`);
  }
  if (entry.hash !== version || status === undefined || status.restarts < entry.restarts)
    return as("underway", what("has yet to be started"));
  const isStopped = status.active === "inactive" || status.active === "failed";
  if (status.hash !== version) return as(isStopped ? "down" : "underway", what("has yet to be started"));
  if (isBroken(status)) return as("failed", what("failed"));
  if (status.health === "unhealthy") return as("failed", what("is unhealthy"));
  if (isUp(status) || hasRun(status)) return as("healthy", "");
  if (isLooping(status)) return as("failed", what(`failed ${status.failures?.count} times`));
  return as(isStopped ? "down" : "starting", what(`is ${status.active} (${status.sub})`));
}

/** It is started on another machine first, and runs here until it is healthy there. */
function handedOver(
  name: string,
  { taker, version }: { readonly taker: Place; readonly version: string },
  { machines }: ClusterSnapshot,
): Member {
  const { machine, status } = taker;
  const reason = status?.reason === undefined || status.reason === "" ? "" : `: ${status.reason}`;
  const trouble = `${name} is being started on ${machines.get(machine)?.name ?? machine}${reason}`;
  return { key: name, version, condition: "underway", trouble, invocation: "", since: 0 };
}

const isBroken = ({ load, active, health }: UnitStatus): boolean =>
  load === "bad-setting" || load === "error" || active === "failed" || health === "failed";

const isUp = ({ active, health }: UnitStatus): boolean =>
  active === "active" && (health === "healthy" || health === "unknown");

/** A unit that did its work and ended well. */
const hasRun = ({ active, steps }: UnitStatus): boolean =>
  active === "inactive" && steps["active"] !== undefined;

/** systemd starts it again and again. */
const loopsAfter = 2;
const isLooping = ({ failures }: UnitStatus): boolean => (failures?.count ?? 0) >= loopsAfter;
