// What the leader hears of its own orders. Orders for newcomers are placed in full by the pass that gives them, so their
// echo calls for no other pass at once; orders that are taken back, moved or renewed do.
import { keys } from "../model/keys.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import type { Plan } from "../scheduler/plan.ts";

export class Echo {
  readonly #expected = new Set<string>();
  #isHeard = false;

  /** Whether something was heard that was expected, since it was last forgotten. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** A pass begins: whatever comes is news. */
  forget(): void {
    this.#expected.clear();
    this.#isHeard = false;
  }

  /** Expects the orders of a plan that does nothing but give some. */
  expect({ groups }: Plan): void {
    const writes = groups.flatMap((group) => group.writes);
    for (const write of writes) {
      if ("remove" in write || write.entry.companion || isStep(write.entry)) return this.forget();
      this.#expected.add(keys.schedule(write.machine, write.entry.unit));
    }
  }

  /** These keys without what was expected. Each is expected once. */
  without(changed: readonly string[]): readonly string[] {
    if (this.#expected.size === 0) return changed;
    return changed.filter((key) => {
      const isEcho = this.#expected.delete(key);
      this.#isHeard ||= isEcho;
      return !isEcho;
    });
  }
}

/** Whether the order is one of several steps: another one follows. */
const isStep = ({ takesOver, run }: ScheduleEntry): boolean => takesOver !== undefined || run !== undefined;
