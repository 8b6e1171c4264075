/** Grants by their end: a binary heap of rows. What is taken out may be outdated, which the row itself tells. */
export class Leases {
  readonly #untils: number[] = [];
  readonly #rows: number[] = [];

  get size(): number {
    return this.#rows.length;
  }

  /** The end that comes first. */
  first(): { readonly until: number; readonly row: number } | undefined {
    const [until] = this.#untils;
    const [row] = this.#rows;
    return until === undefined || row === undefined ? undefined : { until, row };
  }

  add(until: number, row: number): void {
    let place = this.#rows.length;
    this.#set(place, until, row);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#before(place, parent)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  /** Takes the first one out. */
  pop(): void {
    const until = this.#untils.pop();
    const row = this.#rows.pop();
    if (until === undefined || row === undefined || this.#rows.length === 0) return;
    this.#set(0, until, row);
    for (let place = 0; ;) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < this.#rows.length && this.#before(child, least)) least = child;
      }
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #set(place: number, until: number, row: number): void {
    this.#untils[place] = until;
    this.#rows[place] = row;
  }

  /** Of two that end together the lower row is first: the order is the same after a restart. */
  #before(one: number, other: number): boolean {
    const difference = (this.#untils[one] ?? 0) - (this.#untils[other] ?? 0);
    return difference < 0 || (difference === 0 && (this.#rows[one] ?? 0) < (this.#rows[other] ?? 0));
  }

  #swap(one: number, other: number): void {
    const [until = 0, row = 0] = [this.#untils[one], this.#rows[one]];
    this.#set(one, this.#untils[other] ?? 0, this.#rows[other] ?? 0);
    this.#set(other, until, row);
  }
}
