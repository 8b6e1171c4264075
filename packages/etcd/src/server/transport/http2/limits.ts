// What one client may ask of the server's transport. docs/operations/store-limits.md says what each costs.

import type { KeepaliveOptions } from "./keepalive.ts";

export interface Rate {
  /** At once. */
  readonly most: number;
  /** In the long run. */
  readonly perSecond: number;
}

export interface ConnectionLimits {
  /** Requests under way on a connection, watches among them. */
  readonly streams: number;
  /** Bytes of a request's headers, each counted with 32 more. */
  readonly headerBytes: number;
  /** Bytes of answers that wait for a client before it gets no more of them. */
  readonly waitingBytes: number;
  /** Milliseconds for a frame or a header block to come whole. */
  readonly frameTime: number;
  /** Milliseconds for the message of a request to come whole. */
  readonly requestTime: number;
  /** Requests that are given up before their answer. */
  readonly resets: Rate;
  /** Frames that ask for nothing. Each frame that the server sends is credited with four. */
  readonly idleFrames: Rate;
  readonly keepalive: KeepaliveOptions;
}
