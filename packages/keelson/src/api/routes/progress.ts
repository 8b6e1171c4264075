// An operation's way to its outcome: one line of JSON whenever something moved, the last one done.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Operation } from "../../model/operation.ts";
import type { ClusterView } from "../../registry/cluster-view.ts";
import { progressOf } from "../../safeguards/progress.ts";
import type { ApiContext } from "../context.ts";
import { followingStream } from "../events/following-stream.ts";
import type { Bindings } from "../listener.ts";
import type { ProgressView } from "../wire/operation.ts";

/** A line is repeated after this long without one, so that readers see that it goes on. */
const repeatMs = 5000;

/** `find` throws KEEL-506 when there is no such operation. */
export function progressStream(
  context: ApiContext,
  bindings: Bindings,
  find: (snapshot: ClusterSnapshot) => Operation,
): Promise<Response> {
  return followingStream(context, bindings, {
    type: "application/x-ndjson",
    start(view) {
      const reader = new ProgressReader(context, view, find(view.snapshot));
      return (signal) => reader.next(signal);
    },
  });
}

class ProgressReader {
  readonly #context: ApiContext;
  readonly #view: ClusterView;
  readonly #operation: Operation;
  #last = "";
  #isDone = false;

  constructor(context: ApiContext, view: ClusterView, operation: Operation) {
    this.#context = context;
    this.#view = view;
    this.#operation = operation;
  }

  /** The next line; undefined after the last. */
  async next(signal: AbortSignal): Promise<string | undefined> {
    if (this.#isDone) return undefined;
    const { clock } = this.#context.options;
    const repeatAt = clock.now() + repeatMs;
    for (;;) {
      const progress = await this.#progress();
      const items = progress.items.map(({ ms: _ms, ...item }) => item);
      const text = JSON.stringify({ done: progress.done, items, rollouts: progress.rollouts });
      if (text !== this.#last || clock.now() >= repeatAt) {
        this.#last = text;
        this.#isDone = progress.done;
        return `${JSON.stringify(progress)}\n`;
      }
      await this.#context.feed.changed(repeatAt - clock.now(), signal);
    }
  }

  async #progress(): Promise<ProgressView> {
    const { reader, options } = this.#context;
    const { snapshot, facts } = await reader.read(this.#view);
    const operation = snapshot.operations.get(this.#operation.id) ?? this.#operation;
    const nowMs = options.clock.wall();
    return {
      operation: operation.id,
      revision: snapshot.revision,
      at: nowMs,
      ...progressOf(operation, snapshot, { nowMs, waiting: facts.waiting, stays: facts.stays }),
    };
  }
}
