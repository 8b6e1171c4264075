// Keeps a decider that cannot make up its mind from writing for ever: a record that it writes again and again is left
// as it is for the rest of the minute, and what one look may write is bounded. The rest has its turn at the next look.
import type { Decision } from "../model/decision.ts";

/** Most that is written of one decision: records, and operations. */
export const mostRecordsAtOnce = 2000;
export const mostOperationsAtOnce = 200;
/** Most times that one record, or the units of one operation, are written within a minute. */
export const mostWritesOfOne = 600;
export const mostOperationsOnOne = 120;
const windowMs = 60_000;

export interface Allowed extends Pick<Decision, "records" | "operations"> {
  /** Something is left for the next look. */
  readonly isCut: boolean;
  /** When what is left alone may be written again, on the clock of `nowMs`. */
  readonly againMs: number | undefined;
  /** What is left alone since it changes all the time, sorted. */
  readonly restless: readonly string[];
}

/** One for each decider of a reign. */
export class WritingPace {
  readonly #counts = new Map<string, number>();
  #windowEndsMs = 0;

  allow({ records, operations }: Pick<Decision, "records" | "operations">, nowMs: number): Allowed {
    if (nowMs >= this.#windowEndsMs) {
      this.#counts.clear();
      this.#windowEndsMs = nowMs + windowMs;
    }
    const restless = new Set<string>();
    const may = (what: string, most: number): boolean => {
      const count = (this.#counts.get(what) ?? 0) + 1;
      if (count > most) restless.add(what);
      else this.#counts.set(what, count);
      return count <= most;
    };
    const someRecords = records.slice(0, mostRecordsAtOnce);
    // In the decision's order: operations may rest on records.
    const areRecordsCut = someRecords.length < records.length;
    const someOperations = areRecordsCut ? [] : operations.slice(0, mostOperationsAtOnce);
    const allowed = {
      records: someRecords.filter(({ kind, name }) => may(`${kind} ${name}`, mostWritesOfOne)),
      operations: someOperations.filter(({ kind, changes, records: own = [] }) =>
        may(`${kind} ${changes[0]?.unit ?? own[0]?.name ?? ""}`, mostOperationsOnOne),
      ),
    };
    const isCut = areRecordsCut || someOperations.length < operations.length;
    const againMs = restless.size > 0 ? this.#windowEndsMs : undefined;
    return { ...allowed, isCut, againMs, restless: [...restless].sort() };
  }
}
