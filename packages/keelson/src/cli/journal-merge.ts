// Several journals as one: entries of many machines in the order of their time.

/** An entry with when it was written, in microseconds since 1970. */
export interface Timed {
  readonly realtimeUsec: number;
}

/**
 * Merges sources that are each in order and that end. Holds one entry of each.
 */
export async function* mergeOrdered<T extends Timed>(
  sources: readonly AsyncIterable<T>[],
): AsyncGenerator<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(iterators.map((iterator) => iterator.next()));
    for (;;) {
      let earliest = -1;
      heads.forEach((head, i) => {
        const best = heads[earliest];
        if (
          head.done !== true &&
          (best === undefined || best.done === true || head.value.realtimeUsec < best.value.realtimeUsec)
        )
          earliest = i;
      });
      const head = heads[earliest];
      const iterator = iterators[earliest];
      if (!head || !iterator || head.done === true) return;
      yield head.value;
      heads[earliest] = await iterator.next();
    }
  } finally {
    for (const iterator of iterators) await iterator.return?.();
  }
}

/**
 * Merges sources that go on for ever, also those that come later: what comes within `windowMs` is put in order, and
 * nothing waits longer. Ends when there are no more sources and all have ended; one that fails ends the whole with
 * its error.
 */
export async function* mergeLive<T extends Timed>(
  sources: AsyncIterable<AsyncIterable<T>> | Iterable<AsyncIterable<T>>,
  windowMs: number,
): AsyncGenerator<T> {
  const waiting: T[] = [];
  let open = 0;
  let mayGrow = true;
  let failure: { readonly error: unknown } | undefined;
  let wake = (): void => {};
  const pump = async (source: AsyncIterable<T>): Promise<void> => {
    try {
      for await (const entry of source) {
        waiting.push(entry);
        wake();
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      open--;
      wake();
    }
  };
  const grow = async (): Promise<void> => {
    try {
      for await (const source of sources) {
        open++;
        void pump(source);
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      mayGrow = false;
      wake();
    }
  };
  void grow();
  while (open > 0 || mayGrow || waiting.length > 0) {
    if (waiting.length === 0 && !failure) await new Promise<void>((resolve) => (wake = resolve));
    if (waiting.length > 0 && open > 1) await new Promise((resolve) => setTimeout(resolve, windowMs));
    yield* waiting.splice(0).sort((a, b) => a.realtimeUsec - b.realtimeUsec);
    if (failure) throw failure.error;
  }
  if (failure) throw failure.error;
}
