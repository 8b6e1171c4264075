import type { Method } from "../transport/call.ts";
import type { WatchHub } from "../watch/hub.ts";
import { WatchStream } from "../watch/stream.ts";
import type { ServiceContext } from "./context.ts";

/** Milliseconds between the progress reports of a watch, by default. */
export const PROGRESS_INTERVAL_MS = 10 * 60_000;

/** etcdserverpb.Watch. `jitter` is uniform in [0, 1): streams that began together report at different times. */
export function watchService(
  { header, access }: ServiceContext,
  options: {
    readonly hub: WatchHub;
    readonly fragmentBytes: number;
    readonly progressMs: number;
    readonly jitter: () => number;
  },
): Record<string, Method> {
  const { hub, fragmentBytes, progressMs, jitter } = options;
  return {
    Watch: {
      kind: "stream",
      open: (call) => {
        const progressInterval = progressMs * (1 + jitter() / 10);
        return new WatchStream({ hub, header, access, fragmentBytes, progressInterval }, call);
      },
    },
  };
}
