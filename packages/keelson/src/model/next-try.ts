import { spanWords } from "../base/span.ts";
import type { UnitStatus } from "./schedule.ts";

/** A reason with when its machine tries again: that is said by whoever reads it, for then it is known how soon. */
export function withNextTry(
  reason: string,
  failures: Pick<NonNullable<UnitStatus["failures"]>, "nextTry"> | null | undefined,
  wallMs: number,
): string {
  const nextTry = failures?.nextTry;
  if (nextTry === undefined || nextTry <= wallMs) return reason;
  const words = `next try in ${spanWords(nextTry - wallMs)}`;
  return reason === "" ? words : `${reason}; ${words}`;
}
