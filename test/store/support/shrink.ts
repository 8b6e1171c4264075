// Finds a small part of a failing history that fails too.

export interface ShrinkOptions<T> {
  /** Whether these steps fail, from a fresh start. */
  readonly fails: (steps: readonly T[]) => Promise<boolean>;
  /** No further try is begun after so many milliseconds. */
  readonly withinMs: number;
}

/** Leaves out halves, then quarters, then eighths and so on, for as long as what is left fails. */
export async function shrink<T>(
  steps: readonly T[],
  { fails, withinMs }: ShrinkOptions<T>,
): Promise<readonly T[]> {
  const deadline = performance.now() + withinMs;
  let left = steps;
  for (
    let length = Math.ceil(left.length / 2);
    length >= 1;
    length = length === 1 ? 0 : Math.ceil(length / 2)
  ) {
    for (let start = 0; start < left.length;) {
      if (performance.now() > deadline) return left;
      const without = [...left.slice(0, start), ...left.slice(start + length)];
      if (without.length > 0 && (await fails(without))) left = without;
      else start += length;
    }
  }
  return left;
}
