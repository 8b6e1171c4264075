// The files that a pass looks at, read before it: those of units, and those that machines still run. A reign has one.
// Invariants: what changed since the last look is read, and nothing is read twice; a file that cannot be read keeps
// back only its own unit.
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { openRun } from "../model/job.ts";
import type { Rollout } from "../model/rollout.ts";
import { isOpen } from "../model/version-of.ts";
import { machineAndUnit, nameIn, prefixes } from "../model/keys.ts";
import { PlacementCache } from "../model/placement/cache.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import type { ViewChange } from "../registry/cluster-view.ts";

export interface UnitFilesOptions {
  readonly bodies: BodyCache;
  readonly clock: Clock;
  readonly log: Log;
}

/** So often what is not used any more is let go. */
const sweepMs = 60_000;
/** So long files are made sense of before others have their turn. */
const sliceMs = 20;

export class UnitFiles {
  readonly #options: UnitFilesOptions;
  readonly #read = new Map<string, string>();
  readonly placements = new PlacementCache((hash) => this.#read.get(hash));
  /** What a look may find and has not been read. */
  readonly #open = new Set<string>();
  readonly #changedUnits = new Set<string>();
  #sweepAtMs = 0;

  constructor(options: UnitFilesOptions) {
    this.#options = options;
  }

  /** To be told of every change of the view. */
  hear({ snapshot, keys, reset }: ViewChange): void {
    if (reset) this.#sweepAtMs = 0;
    for (const key of keys) this.#note(key, snapshot);
  }

  /** Reads what the next pass needs; `false` when the store did not answer. */
  async read(snapshot: ClusterSnapshot, signal: AbortSignal): Promise<boolean> {
    const { bodies, clock, log } = this.#options;
    if (clock.now() >= this.#sweepAtMs) this.#sweep(snapshot);
    const unread = this.placements.unread(this.#open);
    this.#open.clear();
    try {
      for (const [hash, body] of await bodies.loadMany(unread, { signal })) {
        if (typeof body === "string") this.#take(hash, body);
        else log.warn("a unit file could not be read", { hash, error: body.message });
      }
    } catch (error) {
      log.warn("the unit files could not be read", { error: describeError(error) });
      return false;
    } finally {
      // One that the store does not hold now may come.
      for (const hash of this.placements.unread(unread)) this.#open.add(hash);
    }
    await this.#makeSense(snapshot, signal);
    return true;
  }

  #note(key: string, snapshot: ClusterSnapshot): void {
    const unit = nameIn(prefixes.units, key);
    if (unit !== undefined) {
      this.#want(snapshot.units.get(unit)?.hash);
      this.#changedUnits.add(unit);
      return;
    }
    const ordered = machineAndUnit(prefixes.schedule, key);
    if (ordered !== undefined)
      return this.#want(snapshot.schedule.get(ordered.machine)?.get(ordered.unit)?.hash);
    const told = machineAndUnit(prefixes.status, key);
    if (told !== undefined) return this.#want(snapshot.statuses.get(told.machine)?.get(told.unit)?.hash);
    for (const hash of hashesOfRecord(key, snapshot)) this.#want(hash);
  }

  #want(hash: string | undefined): void {
    if (hash !== undefined) this.#open.add(hash);
  }

  #take(hash: string, body: string): void {
    this.#read.set(hash, body);
    this.placements.take(hash);
    this.#read.delete(hash);
  }

  #sweep(snapshot: ClusterSnapshot): void {
    const used = hashesOf(snapshot);
    this.placements.retain(used);
    this.#open.clear();
    for (const hash of this.placements.unread(used)) this.#open.add(hash);
    this.#sweepAtMs = this.#options.clock.now() + sweepMs;
  }

  /** A pass finds the rules of new units made; many at once would hold up everything else. */
  async #makeSense({ units }: ClusterSnapshot, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let began = clock.now();
    for (const name of this.#changedUnits) {
      const unit = units.get(name);
      if (unit !== undefined) this.placements.rulesOf(unit.hash, name);
      if (clock.now() - began < sliceMs) continue;
      await clock.sleep(1, signal);
      began = clock.now();
    }
    this.#changedUnits.clear();
  }
}

function hashesOfRecord(key: string, { rollouts, jobs }: ClusterSnapshot): readonly string[] {
  const rollout = rollouts.get(nameIn(prefixes.rollouts, key) ?? "");
  if (rollout !== undefined) return hashesOfRollout(rollout);
  const run = openRun(jobs.get(nameIn(prefixes.jobs, key) ?? ""));
  return run === undefined ? [] : [run.hash];
}

/** One that is over asks for no file but the unit's own. */
const hashesOfRollout = ({ from, to, others = {}, state }: Rollout): readonly string[] =>
  isOpen(state) ? [from, to, ...Object.values(others)] : [];

/** Files of units, and those that machines still run. */
function hashesOf(snapshot: ClusterSnapshot): Set<string> {
  const used = new Set<string>();
  for (const { hash } of snapshot.units.values()) used.add(hash);
  for (const rollout of snapshot.rollouts.values())
    for (const hash of hashesOfRollout(rollout)) used.add(hash);
  for (const job of snapshot.jobs.values()) {
    const open = openRun(job);
    if (open !== undefined) used.add(open.hash);
  }
  for (const entries of snapshot.schedule.values()) for (const { hash } of entries.values()) used.add(hash);
  for (const statuses of snapshot.statuses.values()) for (const { hash } of statuses.values()) used.add(hash);
  return used;
}
