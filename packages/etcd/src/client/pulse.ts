// Notices that a connection is dead although nobody said so (packets dropped without a word). Watches may be
// silent for hours, so silence proves nothing: after two seconds of it a question is asked that any living
// server answers. Other traffic, such as a lease's renewals, makes the question unnecessary.
import { RPC } from "./rpc.ts";
import type { Clock } from "./surroundings.ts";

const SILENCE_MS = 2000;
const ANSWER_MS = 1000;

/** What has a pulse: a connection. */
export interface Living {
  readonly closed: AbortSignal;
  /** Monotonic time of the last message from the other side. */
  readonly heardMs: number;
  /** Long-lived streams that are open now. */
  readonly streams: number;
  unary(
    rpc: typeof RPC.status,
    request: Record<never, never>,
    options: { readonly deadlineMs: number; readonly needsLeader: boolean },
  ): Promise<unknown>;
}

export class Pulse {
  readonly #clock: Clock;
  readonly #connection: Living;
  #running = false;

  constructor(connection: Living, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  /** Feels the pulse as long as the connection has open streams; call it whenever one was opened. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#arm();
  }

  #arm(): void {
    const { closed } = this.#connection;
    const stop = () => timer.cancel();
    const timer = this.#clock.timer(Math.max(0, SILENCE_MS - this.#silenceMs()), () => {
      closed.removeEventListener("abort", stop);
      void this.#feel();
    });
    closed.addEventListener("abort", stop, { once: true });
  }

  async #feel(): Promise<void> {
    const connection = this.#connection;
    if (connection.streams === 0 || connection.closed.aborted) {
      this.#running = false;
      return;
    }
    if (this.#silenceMs() >= SILENCE_MS) {
      try {
        await connection.unary(RPC.status, {}, { deadlineMs: ANSWER_MS, needsLeader: false });
      } catch {
        // A refusal is an answer too; without any, the connection closes itself on the missed deadline.
      }
    }
    if (!connection.closed.aborted) this.#arm();
  }

  #silenceMs(): number {
    return this.#clock.now() - this.#connection.heardMs;
  }
}
