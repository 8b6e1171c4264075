// What the API tells of what happened.
import type { ClusterEvent } from "../../history/cluster-event.ts";
import type { InstanceTimeline } from "../../history/timeline.ts";

/** The way of a unit's instances from the latest change to where they are. */
export interface TimelineView {
  readonly revision: number;
  readonly unit: string;
  readonly instances: readonly InstanceTimeline[];
}

/** First line of `GET /v1/history`: how far back what follows goes. */
export interface HistoryStart {
  readonly cluster: string;
  /** The store's history begins behind this revision. */
  readonly since: number;
  /** Unix milliseconds of the first event that is known; null when none is. */
  readonly firstAt: number | null;
  /** Events that were left out because they are too many. */
  readonly leftOut: number;
}

/** Every other line. */
export type EventView = ClusterEvent;
