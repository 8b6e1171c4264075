// What the API says of timers of the cluster.
import type { DesiredState } from "../../model/unit.ts";

/** A timer that the leader fires for the whole cluster. */
export interface TimerView {
  readonly name: string;
  readonly unit: string;
  /** What it starts. */
  readonly target: string;
  readonly desired: DesiredState;
  readonly activated: number | null;
  /** The last due time, and what became of it. */
  readonly last: number | null;
  readonly outcome: string;
  /** When it fires, and the due time without the random delay. */
  readonly next: number | null;
  readonly due: number | null;
  /** Why it does not fire; empty when it does. */
  readonly reason: string;
}

/** `GET /v1/timers`. */
export interface TimersView {
  readonly revision: number;
  readonly timers: readonly TimerView[];
}
