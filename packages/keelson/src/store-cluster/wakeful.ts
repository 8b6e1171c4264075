import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";

/** Looks again after this long although nothing was heard: certificates come of age. */
const restlessMs = 60_000;

/** Records that are followed. */
export interface Followed {
  /** Revision that they show; 0 before they were read. */
  readonly revision: number;
  /** Calls back after every change; returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/**
 * Runs a step whenever the records have changed, and again after `againMs()`, one at a time, until the
 * signal aborts. A step that fails is made again a moment later.
 */
export async function wakeful(
  around: { readonly records: Followed; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
  step: () => Promise<number | void>,
): Promise<void> {
  const { records, clock, log } = around;
  const backoff = new Backoff({ firstMs: 200, maxMs: 5000 }, systemRandom);
  let wake = Promise.withResolvers<void>();
  const stop = records.onChange(() => wake.resolve());
  try {
    while (!signal.aborted) {
      wake = Promise.withResolvers<void>();
      let waitMs = restlessMs;
      try {
        if (records.revision > 0) waitMs = (await step()) ?? restlessMs;
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        log.debug("a step failed, and is made again", { error: describeError(error) });
        waitMs = backoff.next();
      }
      const rest = new AbortController();
      const until = AbortSignal.any([signal, rest.signal]);
      await Promise.race([wake.promise, clock.sleep(waitMs, until).catch(() => undefined)]);
      rest.abort();
    }
  } finally {
    stop();
  }
}
