/**
 * Texts as numbers: many machines share few of them. Counted, so that what nobody has any more is forgotten, and
 * a client that says something new every time fills nothing. 0 is the empty text and always there.
 */
export class Interned {
  readonly #texts: string[] = [""];
  readonly #uses: number[] = [1];
  readonly #numbers = new Map<string, number>([["", 0]]);
  readonly #free: number[] = [];

  /** Texts that are in use. */
  get size(): number {
    return this.#numbers.size;
  }

  text(number: number): string {
    return this.#texts[number] ?? "";
  }

  /** All of them, by number. */
  texts(): readonly string[] {
    return this.#texts.slice();
  }

  /** The number of a text, with one more use of it. */
  take(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) {
      this.#uses[known] = (this.#uses[known] ?? 0) + 1;
      return known;
    }
    const number = this.#free.pop() ?? this.#texts.length;
    const own = ownCopy(text);
    this.#texts[number] = own;
    this.#uses[number] = 1;
    this.#numbers.set(own, number);
    return number;
  }

  /** One use less. */
  drop(number: number): void {
    if (number === 0) return;
    const uses = (this.#uses[number] ?? 1) - 1;
    this.#uses[number] = uses;
    if (uses > 0) return;
    this.#numbers.delete(this.text(number));
    this.#texts[number] = "";
    this.#free.push(number);
  }

  /** `before` is let go for the text. */
  exchange(before: number, text: string): number {
    const after = this.take(text);
    this.drop(before);
    return after;
  }
}

/** A text that does not keep alive the larger one it was cut from, as parts of a request do. */
export function ownCopy(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}
