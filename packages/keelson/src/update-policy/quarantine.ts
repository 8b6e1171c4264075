// Versions that a machine fell back from, or was given in vain as often as it may: it is not given them again until
// a person says so. Kept only for machines that failed something.

export interface VersionFailure {
  /** Grants that came to nothing. */
  readonly tries: number;
  readonly fellBack: boolean;
  /** The last one's number, as update_engine sends it. */
  readonly code?: number;
  readonly words?: string;
}

/** By version, the oldest first. */
export type Failures = Map<string, VersionFailure>;

/** Most versions that are remembered of one machine. */
export const mostFailures = 16;

/** Notes a failure. When there are too many, the oldest that is no quarantine goes first. */
export function noteFailure(
  failures: Failures,
  version: string,
  { fellBack, code, words }: { fellBack: boolean; code?: number | undefined; words?: string | undefined },
): void {
  const before = failures.get(version);
  failures.delete(version);
  failures.set(version, {
    tries: (before?.tries ?? 0) + 1,
    fellBack: fellBack || before?.fellBack === true,
    ...(code === undefined ? {} : { code }),
    ...(words === undefined ? {} : { words }),
  });
  if (failures.size <= mostFailures) return;
  const oldest = [...failures].find(([, { fellBack: kept }]) => !kept) ?? [...failures][0];
  if (oldest !== undefined) failures.delete(oldest[0]);
}

export const isQuarantined = (
  failure: VersionFailure | undefined,
  { attempts }: { readonly attempts: number },
): failure is VersionFailure => failure !== undefined && (failure.fellBack || failure.tries >= attempts);
