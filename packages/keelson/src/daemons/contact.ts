// When this machine heard from the store last, and what it tells others about it.
import type { Clock } from "../base/clock.ts";

export interface Contact {
  readonly hasContact: boolean;
  /** undefined crosses the API as null: the store was never heard. */
  readonly ageMs: number | null;
}

/**
 * Answers `GET /v1/contact`. "No contact" is a promise that others rely on to go on with their units: this
 * machine's leader will watch for a full lease time from now before it moves anything. `promise` keeps it.
 */
export function contactOf(
  lastHeardMs: number | undefined,
  {
    clock,
    leaseMs,
    promise,
  }: { readonly clock: Clock; readonly leaseMs: number; readonly promise: () => void },
): Contact {
  const ageMs = lastHeardMs === undefined ? null : clock.now() - lastHeardMs;
  const hasContact = ageMs !== null && ageMs < leaseMs / 3;
  if (!hasContact) promise();
  return { hasContact, ageMs: ageMs === null ? null : Math.round(ageMs) };
}
