// The cluster as a sequence of changes, computed only while somebody listens: what happens within a few
// milliseconds becomes one change, and each reader asks for what came after its own revision.
import type { Clock, Timer } from "../../base/clock.ts";
import type { ClusterView } from "../../registry/cluster-view.ts";
import type { ClusterReader } from "../cluster-reader.ts";
import { changeBetween } from "../views/change-event.ts";
import type { ChangeEvent, SnapshotView } from "../wire/snapshot.ts";
import { ChangeRing } from "./change-ring.ts";

/** Changes of the store within this time are told as one; in a large cluster within so many times the time that telling takes. */
const gatherMs = 40;
const gatherTimes = 8;
const mostCostMs = 125;

/** What a reader at a revision gets: the changes since, or everything afresh. */
export type Step =
  | { readonly kind: "changes"; readonly changes: readonly ChangeEvent[]; readonly revision: number }
  | { readonly kind: "snapshot"; readonly snapshot: SnapshotView };

export class ChangeFeed {
  readonly #reader: ClusterReader;
  readonly #clock: Clock;
  #view: ClusterView | undefined;
  #stop: (() => void) | undefined;
  #ring = new ChangeRing(0);
  #latest: SnapshotView | undefined;
  #timer: Timer | undefined;
  #listeners = 0;
  /** How long the last change took to be worked out. */
  #costMs = 0;
  readonly #wakers = new Set<() => void>();

  constructor(reader: ClusterReader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  /** Follows a view for as long as the returned use is not disposed. */
  follow(view: ClusterView): Disposable {
    this.#listeners++;
    if (this.#view !== view) this.#attach(view);
    return {
      [Symbol.dispose]: () => {
        if (--this.#listeners === 0) this.#detach();
      },
    };
  }

  /** What came after this revision, at once; no changes when the reader is up to date. */
  async since(revision: number | undefined): Promise<Step> {
    const latest = await this.#refresh();
    const changes = revision === undefined ? undefined : this.#ring.after(revision);
    if (!changes) return { kind: "snapshot", snapshot: latest };
    return { kind: "changes", changes, revision: this.#ring.revision };
  }

  /** Resolves when something may have changed, with false when the time is over; rejects when the signal aborts. */
  changed(withinMs: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => (): void => {
        this.#wakers.delete(onChange);
        timer.cancel();
        signal.removeEventListener("abort", onAbort);
        finish();
      };
      const onChange = settle(() => resolve(true));
      const onAbort = settle(() => reject(signal.reason as Error));
      const timer = this.#clock.timer(
        withinMs,
        settle(() => resolve(false)),
      );
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      this.#wakers.add(onChange);
    });
  }

  #attach(view: ClusterView): void {
    this.#detach();
    this.#view = view;
    this.#latest = undefined;
    this.#stop = view.onChange(({ reset }) => {
      if (reset) this.#latest = undefined;
      this.#timer ??= this.#clock.timer(Math.max(gatherMs, gatherTimes * this.#costMs), () => {
        this.#timer = undefined;
        for (const wake of this.#wakers) wake();
      });
    });
  }

  #detach(): void {
    this.#stop?.();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stop = undefined;
    this.#view = undefined;
    this.#latest = undefined;
  }

  /** Brings the ring up to the view. Without a view before it, the ring starts here. */
  async #refresh(): Promise<SnapshotView> {
    const view = this.#view;
    if (!view) throw new Error("the feed follows no view");
    const started = this.#clock.now();
    const snapshot = (await this.#reader.read(view)).view;
    const before = this.#latest;
    if (before === snapshot || (before && snapshot.revision < before.revision)) return before;
    if (before) this.#ring.push(snapshot.revision, changeBetween(before, snapshot));
    else this.#ring.reset(snapshot.revision);
    this.#costMs = Math.min(this.#clock.now() - started, mostCostMs);
    this.#latest = snapshot;
    return snapshot;
  }
}
