// The cluster's changes as server-sent events. The id is the store's revision: who comes back with the last
// one it saw gets what happened since, or a fresh snapshot. Source: the HTML standard, "Server-sent events".
import { KeelError } from "../../base/errors.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { followingStream } from "../events/following-stream.ts";
import type { ContactView } from "../wire/health.ts";

/** While the store is not heard, readers are told more often how long it has been. */
const outageBeatMs = 2000;

interface ServerEvent {
  readonly event: "snapshot" | "change" | "heartbeat";
  readonly id: number;
  readonly data: unknown;
}

export function eventRoutes(routes: ApiRoutes, context: ApiContext): void {
  const { heartbeatMs = 10_000 } = context.options;
  routes.get("/v1/events", (c) => {
    const seen = lastSeen(c.req.header("last-event-id") ?? c.req.query("after"));
    return followingStream(context, c.env, {
      type: "text/event-stream",
      first: "retry: 1000\n\n",
      start(view) {
        const reader = new EventReader(context, seen, () => view.continuousSinceMs !== undefined);
        return async (signal) => (await reader.next(signal, heartbeatMs)).map(render).join("");
      },
    });
  });
}

function render({ event, id, data }: ServerEvent): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Where one reader is. */
class EventReader {
  readonly #context: ApiContext;
  readonly #hears: () => boolean;
  #revision: number | undefined;
  #heardAt: number;
  /** The first events go out at once, so that a reader that resumes knows that it is up to date. */
  #isGreeted = false;

  constructor(context: ApiContext, revision: number | undefined, hears: () => boolean) {
    this.#context = context;
    this.#revision = revision;
    this.#hears = hears;
    this.#heardAt = context.options.clock.now();
  }

  async next(signal: AbortSignal, heartbeatMs: number): Promise<readonly ServerEvent[]> {
    const { clock } = this.#context.options;
    const deadline = clock.now() + heartbeatMs;
    for (;;) {
      const events = await this.#collect();
      if (events.length > 0) return events;
      const hears = this.#hears();
      const left = hears
        ? deadline - clock.now()
        : Math.min(outageBeatMs, heartbeatMs, deadline - clock.now());
      if (!this.#isGreeted || left <= 0) return [this.#beat()];
      if (await this.#context.feed.changed(Math.min(left, outageBeatMs, heartbeatMs), signal)) continue;
      if (!hears || !this.#hears()) return [this.#beat()];
    }
  }

  async #collect(): Promise<ServerEvent[]> {
    const step = await this.#context.feed.since(this.#revision);
    if (step.kind === "snapshot") {
      this.#isGreeted = true;
      this.#revision = step.snapshot.revision;
      return [
        {
          event: "snapshot",
          id: this.#revision,
          data: { ...step.snapshot, at: this.#context.options.clock.wall() },
        },
      ];
    }
    this.#revision = step.revision;
    return step.changes.map((change) => ({ event: "change", id: change.revision, data: change }));
  }

  #beat(): ServerEvent {
    const { clock, machine } = this.#context.options;
    const hasContact = this.#hears();
    if (hasContact) this.#heardAt = clock.now();
    this.#isGreeted = true;
    const contact: ContactView = {
      machine: machine.id,
      hasContact,
      ageMs: Math.round(clock.now() - this.#heardAt),
    };
    return {
      event: "heartbeat",
      id: this.#revision ?? 0,
      data: { revision: this.#revision ?? 0, at: clock.wall(), contact },
    };
  }
}

function lastSeen(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const revision = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(revision)) {
    throw new KeelError("KEEL-104", `"${text.slice(0, 40)}" is no revision`);
  }
  return revision;
}
