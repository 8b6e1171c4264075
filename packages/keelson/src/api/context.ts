// What every route works with.
import type { Hono } from "hono";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import type { ApiOptions } from "./api.ts";
import type { ArchiveStore } from "./archive/archive-store.ts";
import type { ClusterReader } from "./cluster-reader.ts";
import type { ChangeFeed } from "./events/change-feed.ts";
import type { EventLog } from "./events/event-log.ts";
import type { Bindings } from "./listener.ts";
import type { SharedView } from "./shared-view.ts";
import type { SurvivabilityWatch } from "./survivability-watch.ts";
import type { Slots } from "./slots.ts";

export interface ApiContext {
  readonly options: ApiOptions;
  readonly views: SharedView;
  readonly reader: ClusterReader;
  readonly feed: ChangeFeed;
  /** What happened, for as long as somebody asks. */
  readonly history: EventLog;
  readonly survivability: SurvivabilityWatch;
  readonly archives: ArchiveStore;
  /** Event and progress streams. */
  readonly streams: Slots;
  /** Changes that wait for their turn or are being made. */
  readonly changes: Slots;
  /** Archives that are being received. */
  readonly uploads: Slots;
  /** Ends with the API. */
  readonly signal: AbortSignal;
}

export type ApiRoutes = Hono<{ Bindings: Bindings }>;

/** Runs with the view and a snapshot of a store that is heard now. KEEL-401 when it is not. */
export async function withCluster<T>(
  context: ApiContext,
  run: (snapshot: ClusterSnapshot, view: ClusterView) => Promise<T>,
): Promise<T> {
  using use = context.views.use();
  const snapshot = await context.views.current(use.view, context.signal);
  return await run(snapshot, use.view);
}
