// An answer that goes on while the cluster moves: it holds a stream's slot, the view and the feed for as long
// as its reader stays.
import type { ClusterView } from "../../registry/cluster-view.ts";
import type { ApiContext } from "../context.ts";
import type { Bindings } from "../listener.ts";
import { pulledStream } from "./pulled-stream.ts";

/** A reader that takes nothing for this long is dropped. */
const stuckMs = 30_000;

export interface Following {
  readonly type: string;
  /** Text that goes out before all else. */
  readonly first?: string;
  /** Called when the view shows a store that is heard. Returns what makes the next piece; undefined ends the stream. */
  start(view: ClusterView): (signal: AbortSignal) => Promise<string | undefined>;
}

export async function followingStream(
  context: ApiContext,
  { outgoing }: Bindings,
  following: Following,
): Promise<Response> {
  using held = new DisposableStack();
  held.use(context.streams.take());
  const { view } = held.use(context.views.use());
  await context.views.current(view, context.signal);
  const next = following.start(view);
  held.use(context.feed.follow(view));
  const keep = held.move();
  const body = pulledStream({
    next,
    clock: context.options.clock,
    stuckMs,
    drop: () => outgoing.destroy(),
    ended: () => keep.dispose(),
    signal: context.signal,
    ...(following.first === undefined ? {} : { first: following.first }),
  });
  return new Response(body, {
    headers: {
      "content-type": following.type,
      "cache-control": "no-store",
      // Said in so many words, the server sends each piece at once and does not gather them.
      "transfer-encoding": "chunked",
      "x-accel-buffering": "no",
    },
  });
}
