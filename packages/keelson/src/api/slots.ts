import { KeelError } from "../base/errors.ts";

/** At most so many of a kind at a time. */
export class Slots {
  readonly #kind: string;
  readonly #most: number;
  #taken = 0;

  constructor(kind: string, most: number) {
    this.#kind = kind;
    this.#most = most;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a slot. KEEL-605 when there is none. */
  take(): Disposable {
    if (this.#taken >= this.#most) {
      throw new KeelError("KEEL-605", `there are ${this.#most} ${this.#kind} already`, {
        hint: "Try again when one has ended.",
      });
    }
    this.#taken++;
    let isReleased = false;
    return {
      [Symbol.dispose]: () => {
        if (isReleased) return;
        isReleased = true;
        this.#taken--;
      },
    };
  }
}
