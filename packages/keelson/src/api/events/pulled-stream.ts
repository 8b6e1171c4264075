// A stream of text whose next piece is made when the reader has taken the one before: a slow reader gets
// fewer, larger steps and costs no memory; one that takes nothing is dropped.
import type { Clock, Timer } from "../../base/clock.ts";

export interface PulledStreamOptions {
  /** The next piece; undefined ends the stream. Rejects when the signal aborts. */
  readonly next: (signal: AbortSignal) => Promise<string | undefined>;
  /** Goes out before all else. */
  readonly first?: string;
  readonly clock: Clock;
  /** A reader that takes nothing for this long is dropped. */
  readonly stuckMs: number;
  /** Ends the connection. */
  readonly drop: () => void;
  /** Called once, however the stream ends. */
  readonly ended: () => void;
  readonly signal: AbortSignal;
}

/** An answer of lines of JSON that goes on while there is something to tell. */
export function lineStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, {
    headers: {
      "content-type": "application/x-ndjson",
      "cache-control": "no-store",
      // Said in so many words, the server sends each piece at once and does not gather them.
      "transfer-encoding": "chunked",
      "x-accel-buffering": "no",
    },
  });
}

export function pulledStream(options: PulledStreamOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, options.signal]);
  let stuck: Timer | undefined;
  let isEnded = false;
  let isCancelled = false;
  const end = (): void => {
    if (isEnded) return;
    isEnded = true;
    stuck?.cancel();
    ending.abort(new Error("the stream ended"));
    options.ended();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (options.first !== undefined) controller.enqueue(encoder.encode(options.first));
      },
      async pull(controller) {
        stuck?.cancel();
        try {
          signal.throwIfAborted();
          const text = await options.next(signal);
          if (text === undefined) {
            end();
            return controller.close();
          }
          controller.enqueue(encoder.encode(text));
          stuck = options.clock.timer(options.stuckMs, () => {
            end();
            options.drop();
          });
        } catch (error) {
          const wasOver = isEnded || signal.aborted;
          end();
          if (!wasOver) throw error;
          if (!isCancelled) controller.close();
        }
      },
      cancel() {
        isCancelled = true;
        end();
      },
    },
    { highWaterMark: 0 },
  );
}
