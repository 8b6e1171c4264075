// Circles among dependencies: a unit in one would wait for itself.

export interface Waits {
  /** Units that must be healthy before this one starts. */
  readonly gatesOf: (name: string) => readonly string[];
  /** Units beside which it must run: they are placed before it. */
  readonly companyOf: (name: string) => readonly string[];
}

/**
 * By unit, a circle that it is in, beginning with itself. Units that only keep each other company wait for nothing:
 * a circle has at least one gate.
 */
export function findCircles(names: Iterable<string>, waits: Waits): Map<string, readonly string[]> {
  const circles = new Map<string, readonly string[]>();
  for (const name of names) {
    if (circles.has(name)) continue;
    for (const gate of waits.gatesOf(name)) {
      const way = wayBetween(gate, name, waits);
      if (way === undefined) continue;
      // All of them are in it, each beginning with itself.
      for (let at = 0; at < way.length; at++) {
        const one = way[at] ?? "";
        if (!circles.has(one)) circles.set(one, [...way.slice(at), ...way.slice(0, at)]);
      }
      break;
    }
  }
  return circles;
}

/** The shortest way along anything that waits, both ends included, the goal first. */
function wayBetween(start: string, goal: string, { gatesOf, companyOf }: Waits): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[start, undefined]]);
  const open = [start];
  for (let at = 0; at < open.length; at++) {
    const name = open[at] ?? "";
    if (name === goal) {
      const way: string[] = [];
      for (let step: string | undefined = cameFrom.get(name); step !== undefined; step = cameFrom.get(step))
        way.unshift(step);
      return [goal, ...way];
    }
    for (const next of [...gatesOf(name), ...companyOf(name)]) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, name);
      open.push(next);
    }
  }
  return undefined;
}
