// From a snapshot of the store to what people see: it fetches the unit files that the answer hangs on, asks
// the scheduler what waits and why, and remembers the last answer.
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { PlacementCache } from "../model/placement/cache.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import type { SchedulerFacts } from "../scheduler/plan.ts";
import { whyMachine } from "../scheduler/reasons/why-machine.ts";
import { why } from "../scheduler/reasons/why.ts";
import type { InstanceReasons } from "../scheduler/reasons/why.ts";
import { placementFacts } from "./placement-facts.ts";
import type { SchedulingFacts } from "./placement-facts.ts";
import { ClusterProjection } from "./views/cluster-projection.ts";
import type { WhyMachineView } from "./wire/reasons.ts";
import type { SnapshotView } from "./wire/snapshot.ts";

export interface ReaderOptions {
  readonly cluster: string;
  readonly bodies: BodyCache;
  /** A machine's lease. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ReadCluster {
  readonly snapshot: ClusterSnapshot;
  readonly facts: SchedulingFacts;
  /** What the dashboard shows. */
  readonly view: SnapshotView;
}

export class ClusterReader {
  readonly placements: PlacementCache;
  readonly #options: ReaderOptions;
  readonly #projection: ClusterProjection;
  #last: ReadCluster | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#projection = new ClusterProjection(options.cluster);
    this.placements = new PlacementCache((hash) => options.bodies.get(hash));
  }

  /** The view's snapshot, and what it comes to. The same object for the same snapshot. */
  async read(view: ClusterView): Promise<ReadCluster> {
    const { snapshot } = view;
    if (this.#last?.snapshot === snapshot) return this.#last;
    const isWhole = await this.loadPlacements(snapshot);
    if (this.#last?.snapshot === snapshot) return this.#last;
    const times = this.times(view);
    const facts = placementFacts(snapshot, this.placements, times);
    const shown = this.#projection.view(snapshot, facts, times.wallMs);
    const answer = { snapshot, facts, view: shown };
    if (isWhole && (!this.#last || this.#last.snapshot.revision <= snapshot.revision)) this.#last = answer;
    return answer;
  }

  /** Each machine with its reason, for each instance of a unit. Empty for a name that is not known. */
  async why(view: ClusterView, name: string): Promise<{ revision: number; instances: InstanceReasons[] }> {
    const { snapshot } = await this.read(view);
    const placements = this.placements;
    const instances = why(snapshot, name, { placements, facts: this.times(view) });
    return { revision: snapshot.revision, instances };
  }

  /** Why a machine is as it is; undefined for one that is not known. */
  async whyMachine(view: ClusterView, id: string): Promise<WhyMachineView | undefined> {
    const { snapshot } = await this.read(view);
    const found = whyMachine(snapshot, id, { placements: this.placements, facts: this.times(view) });
    return found && { revision: snapshot.revision, ...found };
  }

  /** What the scheduler is told about time, as this daemon knows it. */
  times({ continuousSinceMs, goneSince }: ClusterView): SchedulerFacts {
    const { clock, leaseMs } = this.#options;
    return { nowMs: clock.now(), wallMs: clock.wall(), continuousSinceMs, goneSince, leaseMs, fence: 0 };
  }

  /** Reads the placement rules of every unit; false when some could not be fetched. */
  async loadPlacements(snapshot: ClusterSnapshot): Promise<boolean> {
    const missing = new Map<string, string[]>();
    const used = new Set<string>();
    for (const { hash, name } of snapshot.units.values()) {
      used.add(hash);
      if (this.placements.rulesOf(hash, name) === "missing")
        missing.set(hash, [...(missing.get(hash) ?? []), name]);
    }
    this.placements.retain(used);
    if (missing.size === 0) return true;
    try {
      for (const hashes of chunks([...missing.keys()], 64)) {
        const bodies = await this.#options.bodies.loadAll(hashes);
        // Read at once: the cache of bodies may be smaller than the cluster.
        for (const hash of bodies.keys())
          for (const name of missing.get(hash) ?? []) this.placements.rulesOf(hash, name);
      }
      return true;
    } catch (error) {
      this.#options.log.warn("unit files could not be fetched", { error: describeError(error) });
      return false;
    }
  }
}

function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let first = 0; first < items.length; first += size) yield items.slice(first, first + size);
}
