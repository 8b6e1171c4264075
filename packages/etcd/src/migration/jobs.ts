/** Writes of one key that may take place at any revisions of a span, each at another one. */
export interface Job {
  readonly key: string;
  /** Revision at which it must have begun, if it is to have one write at each revision from there on. */
  latestStart: number;
  remaining: number;
}

/** The jobs that wait, the most urgent one first: a binary heap by {@link Job.latestStart}. */
export class JobQueue {
  readonly #heap: Job[] = [];

  get first(): Job | undefined {
    return this.#heap[0];
  }

  get size(): number {
    return this.#heap.length;
  }

  add(job: Job): void {
    const heap = this.#heap;
    let place = heap.length;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      const above = heap[parent] as Job;
      if (above.latestStart <= job.latestStart) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = job;
  }

  take(): Job | undefined {
    const heap = this.#heap;
    const taken = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return taken;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.latestStart < (heap[child] as Job).latestStart) child++;
      const below = heap[child] as Job;
      if (below.latestStart >= last.latestStart) break;
      heap[place] = below;
      place = child;
    }
    heap[place] = last;
    return taken;
  }
}
