// Which blocks of a new image are taken from the old one as they are, and which have to be made.

export interface Run {
  /** First block in the new image. */
  readonly at: number;
  readonly count: number;
  /** First block in the old image; undefined when the old one does not have these blocks. */
  readonly from?: number;
  /** About where the old image would have them. */
  readonly near: number;
}

/** Copies of fewer blocks between changed ones are left to be made with them: each step has its price. */
const shortCopy = 24;

/** Covers the new image from its beginning to its end. The arguments are what identifies each block. */
export function planRuns(old: readonly string[], fresh: readonly string[]): readonly Run[] {
  const runs: Run[] = [];
  for (const run of exactRuns(old, fresh)) {
    const last = runs.at(-1);
    const isMade = run.from === undefined || (run.count < shortCopy && run.count < fresh.length);
    const { from: _, ...made } = run;
    if (!isMade) runs.push(run);
    else if (last !== undefined && last.from === undefined)
      runs[runs.length - 1] = { ...last, count: last.count + run.count };
    else runs.push(made);
  }
  return runs;
}

function exactRuns(old: readonly string[], fresh: readonly string[]): readonly Run[] {
  const places = new Map<string, number>();
  for (const [place, id] of old.entries()) if (!places.has(id)) places.set(id, place);
  const runs: Run[] = [];
  let near = 0;
  for (let at = 0; at < fresh.length;) {
    const id = fresh[at] ?? "";
    // Where the last run ended is the likeliest place, also for what is there many times.
    const from = old[near] === id ? near : places.get(id);
    let count = 1;
    if (from === undefined) {
      while (at + count < fresh.length && !places.has(fresh[at + count] ?? "")) count += 1;
      runs.push({ at, count, near });
      near += count;
    } else {
      while (
        at + count < fresh.length &&
        from + count < old.length &&
        fresh[at + count] === old[from + count]
      )
        count += 1;
      runs.push({ at, count, from, near: from });
      near = from + count;
    }
    at += count;
  }
  return runs;
}
