// What happened, with causes: a stream of events from the store's history, and the way of one unit.
import { KeelError } from "../../base/errors.ts";
import type { ClusterEvent } from "../../history/cluster-event.ts";
import { timelineOf } from "../../history/timeline.ts";
import { templateName } from "../../model/unit-name.ts";
import { jsonAnswer } from "../answer.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { lineStream, pulledStream } from "../events/pulled-stream.ts";
import type { HistoryStart, TimelineView } from "../wire/history.ts";
import { noSuchUnit } from "./cluster.ts";

/** Events in one piece of the stream. */
const mostAtOnce = 500;
const stuckMs = 30_000;
/** A stream that is followed says so often that it lives: with an empty line. */
const beatMs = 10_000;

interface Wanted {
  readonly unit: string | undefined;
  readonly machine: string | undefined;
  /** Unix milliseconds. */
  readonly since: number;
  readonly follows: boolean;
}

export function historyRoutes(routes: ApiRoutes, context: ApiContext): void {
  const { clock, configuration } = context.options;

  routes.get("/v1/timeline/:name", async (c) => {
    const name = c.req.param("name");
    return await withCluster(context, async (snapshot) => {
      const instances = timelineOf(snapshot, name);
      if (instances.length === 0 && !snapshot.units.has(name)) throw noSuchUnit(name);
      const answer: TimelineView = { revision: snapshot.revision, unit: name, instances };
      return jsonAnswer(answer);
    });
  });

  routes.get("/v1/history", async (c) => {
    const wanted = readWanted((name) => c.req.query(name));
    using held = new DisposableStack();
    held.use(context.streams.take());
    held.use(context.history.use());
    await context.history.current(context.signal);
    const keep = held.move();
    const reader = new Reader(context, wanted);
    const start: HistoryStart = { cluster: configuration.cluster, ...reader.start() };
    const body = pulledStream({
      first: `${JSON.stringify(start)}\n`,
      next: (signal) => reader.next(signal),
      clock,
      stuckMs,
      drop: () => c.env.outgoing.destroy(),
      ended: () => keep.dispose(),
      signal: context.signal,
    });
    return lineStream(body);
  });
}

class Reader {
  readonly #context: ApiContext;
  readonly #wanted: Wanted;
  #next = 0;

  constructor(context: ApiContext, wanted: Wanted) {
    this.#context = context;
    this.#wanted = wanted;
  }

  start(): Omit<HistoryStart, "cluster"> {
    const { history } = this.#context;
    const { events, next } = history.from(0, 1);
    this.#next = next - events.length;
    return { since: history.since, firstAt: events[0]?.at ?? null, leftOut: history.leftOut };
  }

  async next(signal: AbortSignal): Promise<string | undefined> {
    const { history } = this.#context;
    for (;;) {
      const { events, next } = history.from(this.#next, mostAtOnce);
      this.#next = next;
      const lines = events
        .filter((event) => fits(event, this.#wanted))
        .map((it) => `${JSON.stringify(it)}\n`);
      if (lines.length > 0) return lines.join("");
      if (events.length > 0) continue;
      if (!this.#wanted.follows) return undefined;
      await history.changed(beatMs, signal);
      if (history.from(this.#next, 1).events.length === 0) return "\n";
    }
  }
}

function fits(event: ClusterEvent, { unit, machine, since }: Wanted): boolean {
  if (event.at < since) return false;
  if (machine !== undefined && event.machine !== machine && event.machineName !== machine) return false;
  if (unit === undefined) return true;
  return event.units.some(
    (name) => name === unit || templateName(name) === unit || name === templateName(unit),
  );
}

/** @throws KeelError KEEL-104 */
function readWanted(query: (name: string) => string | undefined): Wanted {
  const since = query("since") ?? "0";
  if (!/^\d{1,15}$/.test(since))
    throw new KeelError("KEEL-104", `since: "${since.slice(0, 40)}" is no time in Unix milliseconds`);
  const follow = query("follow") ?? "0";
  if (follow !== "0" && follow !== "1")
    throw new KeelError("KEEL-104", `follow: "${follow.slice(0, 40)}" is neither 0 nor 1`);
  const named = (name: string): string | undefined => {
    const value = query(name);
    return value === undefined || value === "" ? undefined : value.slice(0, 255);
  };
  return { unit: named("unit"), machine: named("machine"), since: Number(since), follows: follow === "1" };
}
