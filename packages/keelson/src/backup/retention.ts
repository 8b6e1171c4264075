// Which backups are kept: the newest ones, and of each of the last days, weeks and months the newest one. Pure.

export interface RetentionRule {
  /** The newest ones, whatever their age. */
  readonly last: number;
  /** One for each of so many days that have one. */
  readonly daily: number;
  /** The same for weeks, Monday to Sunday, and months; both in UTC. */
  readonly weekly: number;
  readonly monthly: number;
}

export interface KeptBackup {
  readonly file: string;
  /** Unix time in milliseconds. */
  readonly takenAt: number;
  readonly isProven: boolean;
}

export interface Retention {
  /** Newest first, with why. */
  readonly keep: readonly { readonly file: string; readonly because: readonly string[] }[];
  readonly drop: readonly string[];
}

/**
 * Decides over backups. The newest one and the newest proven one are always kept. A backup that is not proven never
 * takes the place of a proven one of the same day, week or month.
 */
export function retain(backups: readonly KeptBackup[], rule: RetentionRule): Retention {
  const sorted = backups.toSorted((a, b) => b.takenAt - a.takenAt || (a.file < b.file ? -1 : 1));
  const reasons = new Map<string, string[]>(sorted.map(({ file }) => [file, []]));
  const keep = (backup: KeptBackup | undefined, because: string): void => {
    if (backup !== undefined) reasons.get(backup.file)?.push(because);
  };
  keep(sorted[0], "newest");
  keep(
    sorted.find(({ isProven }) => isProven),
    "newest proven",
  );
  for (const backup of sorted.slice(0, rule.last)) keep(backup, "last");
  for (const [name, most, periodOf] of [
    ["daily", rule.daily, dayOf],
    ["weekly", rule.weekly, weekOf],
    ["monthly", rule.monthly, monthOf],
  ] as const) {
    const periods = Map.groupBy(sorted, ({ takenAt }) => periodOf(takenAt));
    for (const [, group] of [...periods].slice(0, most)) {
      keep(group.find(({ isProven }) => isProven) ?? group[0], name);
    }
  }
  const kept = sorted.filter(({ file }) => (reasons.get(file) ?? []).length > 0);
  return {
    keep: kept.map(({ file }) => ({ file, because: reasons.get(file) ?? [] })),
    drop: sorted.filter((backup) => !kept.includes(backup)).map(({ file }) => file),
  };
}

const dayMs = 86_400_000;

function dayOf(at: number): number {
  return Math.floor(at / dayMs);
}

/** 1 January 1970 was a Thursday. */
function weekOf(at: number): number {
  return Math.floor((dayOf(at) + 3) / 7);
}

function monthOf(at: number): number {
  const date = new Date(at);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
