import type { ConnectionLimits } from "./http2/limits.ts";

/** What clients may ask of the transport. docs/operations/store-limits.md says what each costs. */
export interface TransportLimits extends ConnectionLimits {
  /** Connections of a listener. Those above are closed at once. */
  readonly connections: number;
  /** Bytes of requests that are not complete yet, of all clients together. */
  readonly heldBytes: number;
}

export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  connections: 10_000,
  streams: 10_000,
  headerBytes: 64 << 10,
  heldBytes: 256 << 20,
  waitingBytes: 64 << 20,
  frameTime: 30_000,
  requestTime: 60_000,
  resets: { most: 2000, perSecond: 100 },
  idleFrames: { most: 10_000, perSecond: 1000 },
  keepalive: { minTime: 5000, interval: 2 * 60 * 60 * 1000, timeout: 20_000 },
};
