// The view of the whole cluster, opened when the first request needs it and closed when none has for a
// while: an idle daemon follows nothing but its own orders.
import type { Clock, Timer } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { ClusterView } from "../registry/cluster-view.ts";

/** How long a request waits for the store before it is answered with KEEL-401. */
export const storeWaitMs = 2500;

/** The view for as long as someone uses it. */
export interface ViewUse extends Disposable {
  readonly view: ClusterView;
}

export class SharedView implements AsyncDisposable {
  readonly #open: () => ClusterView;
  readonly #clock: Clock;
  readonly #idleMs: number;
  #view: ClusterView | undefined;
  #closing: Promise<void> = Promise.resolve();
  #users = 0;
  #timer: Timer | undefined;
  #ended = false;

  constructor(open: () => ClusterView, clock: Clock, idleMs: number) {
    this.#open = open;
    this.#clock = clock;
    this.#idleMs = idleMs;
  }

  get isOpen(): boolean {
    return this.#view !== undefined;
  }

  /** The view, whether it shows something yet or not. */
  use(): ViewUse {
    if (this.#ended) throw new KeelError("KEEL-401", "the daemon is stopping");
    this.#timer?.cancel();
    this.#users++;
    const view = (this.#view ??= this.#open());
    let released = false;
    return {
      view,
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        if (--this.#users === 0) this.#timer = this.#clock.timer(this.#idleMs, () => this.#close());
      },
    };
  }

  /** The snapshot of a store that is heard at this moment. KEEL-401 when it is not heard within 2.5 s. */
  async current(view: ClusterView, signal: AbortSignal): Promise<ClusterSnapshot> {
    if (view.isSynced && view.continuousSinceMs !== undefined) return view.snapshot;
    const deadline = this.#clock.now() + storeWaitMs;
    while (this.#clock.now() < deadline && !signal.aborted) {
      await this.#clock.sleep(20, signal);
      if (view.isSynced && view.continuousSinceMs !== undefined) return view.snapshot;
    }
    signal.throwIfAborted();
    throw new KeelError("KEEL-401", "the store cannot be reached");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#timer?.cancel();
    this.#close();
    await this.#closing;
  }

  #close(): void {
    const view = this.#view;
    if (!view) return;
    this.#view = undefined;
    this.#closing = Promise.all([this.#closing, view[Symbol.asyncDispose]()]).then(() => undefined);
  }
}
