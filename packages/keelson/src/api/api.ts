// keeld's HTTP interface: a Unix socket over which changes are made, and TCP listeners that only read.
// daemons/ starts it. Invariants: no change without a plan that the guards let pass; no answer to a change
// before this API's own view shows it; a listener on TCP changes nothing; whatever comes in is bounded.
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../base/configuration.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Random } from "../base/random.ts";
import type { ApiStore } from "./store.ts";

export interface ApiOptions {
  readonly configuration: Configuration;
  /** This machine. `apiPort` is the port that others reach its reading API under. */
  readonly machine: {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly apiPort: number;
  };
  readonly version: string;
  /** What the API asks of the store. */
  readonly store: ApiStore;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  /** Ends the API. */
  readonly signal: AbortSignal;
  /** Closes the view of the whole cluster after this long without use. 60 s unless given. */
  readonly viewIdleMs?: number;
  /** Most event and progress streams at a time. 64 unless given. */
  readonly maxStreams?: number;
}

export interface Api extends AsyncDisposable {
  readonly socket: string;
  /** Where it listens on TCP, with the ports that were taken. */
  readonly listening: readonly { readonly host: string; readonly port: number }[];
}
