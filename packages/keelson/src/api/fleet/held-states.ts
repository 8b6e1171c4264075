// fleetctl's `restart` asks for `loaded`, and then waits until it reads `launched` before it asks for that: it was
// written against a server that took seconds to act. After a unit was taken from launched to loaded its state is
// therefore told as it was until that has been read once. `stop` reads it too, and asks again.
import type { Clock } from "../../base/clock.ts";
import type { DesiredState } from "../../model/unit.ts";

/** Everyone who asks within this time is told the former state. */
const forAllMs = 150;
/** A former state that nobody asked for is forgotten after this long. */
const forgottenMs = 60_000;
const mostHeld = 10_000;

export class HeldStates {
  readonly #clock: Clock;
  readonly #held = new Map<string, { readonly since: number; isRead: boolean }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The unit was launched, and has just been asked to be no more than loaded. */
  hold(name: string): void {
    this.#held.delete(name);
    this.#held.set(name, { since: this.#clock.now(), isRead: false });
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= mostHeld) break;
      this.#held.delete(oldest);
    }
  }

  release(name: string): void {
    this.#held.delete(name);
  }

  /** The state to tell someone who asks for this one unit. */
  read(name: string, actual: DesiredState): DesiredState {
    const held = this.#held.get(name);
    if (held === undefined || actual !== "loaded") return actual;
    const ageMs = this.#clock.now() - held.since;
    const isOver = ageMs > forgottenMs || (held.isRead && ageMs > forAllMs);
    if (isOver) this.#held.delete(name);
    held.isRead = true;
    return isOver ? actual : "launched";
  }
}
