/** What a field costs in a table beside its text (RFC 7541, 4.1). */
const FIELD_OVERHEAD = 32;
/** Fields that have left before the list is cut. */
const MOST_LEFT = 256;

/** Size of a field as both the table and the limit of a header list count it. */
export function fieldSize(name: string, value: string): number {
  return name.length + value.length + FIELD_OVERHEAD;
}

/** HPACK's table of fields that were sent before (RFC 7541, 2.3.2), the newest first. */
export class DynamicTable {
  /** Names and values in turn, the oldest first; those before `#start` have left. */
  #texts: string[] = [];
  #start = 0;
  #size = 0;
  #most: number;
  /** Counts what changed what an index means. */
  changes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return (this.#texts.length - this.#start) / 2;
  }

  /** Name of the field at a place, 0 being the newest. */
  nameAt(place: number): string {
    return this.#texts[this.#texts.length - 2 - 2 * place] as string;
  }

  valueAt(place: number): string {
    return this.#texts[this.#texts.length - 1 - 2 * place] as string;
  }

  /** A field larger than the table empties it (4.4). */
  add(name: string, value: string): void {
    this.changes++;
    this.#texts.push(name, value);
    this.#size += fieldSize(name, value);
    this.#evict();
  }

  resize(most: number): void {
    this.changes++;
    this.#most = most;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#most) {
      this.#size -= fieldSize(this.#texts[this.#start] as string, this.#texts[this.#start + 1] as string);
      this.#start += 2;
    }
    if (this.#start < MOST_LEFT) return;
    this.#texts = this.#texts.slice(this.#start);
    this.#start = 0;
  }
}
