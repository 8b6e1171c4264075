// Which machines are to be members of the store: spread over zones, the same answer for the same machines.

export interface Candidate {
  readonly id: string;
  readonly name: string;
  /** `metadata.zone`, or empty. */
  readonly zone: string;
}

/**
 * The next machine to take: one of the zone with the fewest members so far, then the first by name. undefined
 * when there is no candidate.
 */
export function chooseNext(
  candidates: readonly Candidate[],
  members: readonly Candidate[],
): Candidate | undefined {
  const taken = new Set(members.map(({ id }) => id));
  const load = new Map<string, number>();
  for (const { zone } of members) load.set(zone, (load.get(zone) ?? 0) + 1);
  const weight = ({ zone }: Candidate): number => load.get(zone) ?? 0;
  return candidates
    .filter(({ id }) => !taken.has(id))
    .toSorted((a, b) => weight(a) - weight(b) || byName(a, b))[0];
}

/** So many machines, spread over zones; fewer when there are not enough. */
export function chooseSpread(candidates: readonly Candidate[], count: number): readonly Candidate[] {
  const chosen: Candidate[] = [];
  while (chosen.length < count) {
    const next = chooseNext(candidates, chosen);
    if (next === undefined) break;
    chosen.push(next);
  }
  return chosen.toSorted(byName);
}

const byName = (a: Candidate, b: Candidate): number =>
  a.name.localeCompare(b.name, "en", { numeric: true }) || (a.id < b.id ? -1 : 1);
