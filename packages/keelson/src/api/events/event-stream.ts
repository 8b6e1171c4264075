// One reader's stream of server-sent events. It asks for what comes next only when the reader has taken what
// came before: a slow one gets fewer, larger steps and costs no memory; one that takes nothing is dropped.
// Source: the HTML standard, "Server-sent events".
import type { Clock, Timer } from "../../base/clock.ts";

export interface ServerEvent {
  readonly event: string;
  readonly id: number;
  readonly data: unknown;
}

export interface EventSourceOptions {
  /** The next events, as soon as there are some; rejects when the signal aborts. */
  readonly next: (signal: AbortSignal) => Promise<readonly ServerEvent[]>;
  readonly clock: Clock;
  /** A reader that takes nothing for this long is dropped. */
  readonly stuckMs: number;
  /** Ends the connection. */
  readonly drop: () => void;
  readonly ended: () => void;
  readonly signal: AbortSignal;
}

/** The body of an answer of the type text/event-stream. */
export function eventStream(options: EventSourceOptions): ReadableStream<Uint8Array> {
  return pulledStream({
    ...options,
    next: async (signal) => {
      const events = await options.next(signal);
      return events.map(render).join("");
    },
    first: "retry: 1000\n\n",
  });
}

/** A stream of text whose next piece is made when the reader is ready for it; `undefined` ends it. */
export function pulledStream(
  options: Omit<EventSourceOptions, "next"> & {
    readonly next: (signal: AbortSignal) => Promise<string | undefined>;
    readonly first?: string;
  },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, options.signal]);
  let stuck: Timer | undefined;
  let isEnded = false;
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
          if (wasOver) controller.close();
          else throw error;
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

function render({ event, id, data }: ServerEvent): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
