// An operation's way to its outcome: one line of JSON whenever something moved, the last one done.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Operation } from "../../model/operation.ts";
import { progressOf } from "../../safeguards/progress.ts";
import type { ApiContext } from "../context.ts";
import { pulledStream } from "../events/event-stream.ts";
import type { Bindings } from "../listener.ts";
import type { ProgressView } from "../wire.ts";

const stuckMs = 30_000;
/** A line is repeated after this long without one, so that readers and proxies see that it goes on. */
const repeatMs = 5000;

/** `find` throws KEEL-506 when there is no such operation. */
export async function progressStream(
  context: ApiContext,
  bindings: Bindings,
  find: (snapshot: ClusterSnapshot) => Operation,
): Promise<Response> {
  const { clock } = context.options;
  const slot = context.streams.take();
  const use = context.views.use();
  let following: Disposable | undefined;
  const release = (): void => {
    following?.[Symbol.dispose]();
    use[Symbol.dispose]();
    slot[Symbol.dispose]();
  };
  try {
    const operation = find(await context.views.current(use.view, context.signal));
    following = context.feed.follow(use.view);
    let last = "";
    let isDone = false;
    const next = async (signal: AbortSignal): Promise<string | undefined> => {
      if (isDone) return undefined;
      const repeatAt = clock.now() + repeatMs;
      for (;;) {
        const { snapshot } = use.view;
        const progress = await progressIn(
          context,
          snapshot,
          snapshot.operations.get(operation.id) ?? operation,
        );
        const text = JSON.stringify({
          done: progress.done,
          items: progress.items.map(({ ms: _ms, ...item }) => item),
        });
        if (text !== last || clock.now() >= repeatAt) {
          last = text;
          isDone = progress.done;
          return `${JSON.stringify(progress)}\n`;
        }
        await context.feed.changed(repeatAt - clock.now(), signal);
      }
    };
    const body = pulledStream({
      next,
      clock,
      stuckMs,
      drop: () => bindings.outgoing.destroy(),
      ended: release,
      signal: context.signal,
    });
    return new Response(body, {
      headers: {
        "content-type": "application/x-ndjson",
        "cache-control": "no-store",
        "transfer-encoding": "chunked",
      },
    });
  } catch (error) {
    release();
    throw error;
  }
}

async function progressIn(
  context: ApiContext,
  snapshot: ClusterSnapshot,
  operation: Operation,
): Promise<ProgressView> {
  const { clock } = context.options;
  const { waiting } = await context.reader.facts(snapshot);
  const nowMs = clock.wall();
  return {
    operation: operation.id,
    revision: snapshot.revision,
    at: nowMs,
    ...progressOf(operation, snapshot, { nowMs, waiting }),
  };
}
