// What an entry log keeps: states that are nothing but their entries in the order in which they were made.

/** One state. Every text is the fold's own matter; it must not hold a line feed (compact JSON has none). */
export interface Fold {
  /** Tells its entries from those of the other folds in the same log: 1 to 255, for ever. */
  readonly kind: number;
  /** Takes a part of a snapshot, in the order in which {@link snapshot} gave them; before any entry. */
  restore(part: string): void;
  /** Takes an entry that was made before, as it was appended. */
  apply(entry: string): void;
  /**
   * The state as it is when this is called, in parts. They are asked for one by one while the ones before are written,
   * and entries may be applied meanwhile: they are not in it.
   */
  snapshot(): Iterable<string>;
}
