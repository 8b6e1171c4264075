// What this machine has of its own in /etc, and whose it is: pure. See docs/operations/etc.md.

/** One path in the overlay's upper folder, relative to /etc. */
export interface OwnPath {
  readonly path: string;
  readonly kind: "file" | "link" | "removed";
}

/** What was in the image at a path when the machine's own was first seen over it. */
export type LowerHashes = Readonly<Record<string, string>>;

/** Stands for a path that the image does not have. */
export const absent = "";

export interface Survey {
  readonly entries: readonly SurveyEntry[];
  /** To be kept for the next time. */
  readonly hashes: LowerHashes;
}

export interface SurveyEntry extends OwnPath {
  /**
   * `rendered`: first-boot configuration or keeld wrote it, and would again. `machine`: what every machine has of
   * its own. `foreign`: somebody changed it by hand, or a program did.
   */
  readonly owner: "rendered" | "machine" | "foreign";
  /** What rendered it. */
  readonly source?: string;
  /** The image has something there, too. */
  readonly covers: boolean;
  /** The image's is another one now than when the machine's own came to be. */
  readonly changedBelow: boolean;
}

const machinePaths =
  /^(?:machine-id|hostname|hosts|resolv\.conf|adjtime|localtime|\.updated|\.pwd\.lock|(?:passwd|group|shadow|gshadow|subuid|subgid)-?|ssh\/ssh_host_.*|credstore(?:\/.*)?|keelson(?:\/.*)?|containers\/systemd)$/;

export function survey({
  own,
  lower,
  known,
  rendered,
}: {
  readonly own: readonly OwnPath[];
  /** Hash of the image's file of each own path; absent where it has none. */
  readonly lower: ReadonlyMap<string, string>;
  readonly known: LowerHashes;
  /** What wrote a path, by path. */
  readonly rendered: ReadonlyMap<string, string>;
}): Survey {
  const hashes: Record<string, string> = {};
  const entries = own.map(({ path, kind }): SurveyEntry => {
    const now = lower.get(path) ?? absent;
    const then = Object.hasOwn(known, path) ? known[path] : undefined;
    hashes[path] = then ?? now;
    const source = rendered.get(path);
    const isMachines = machinePaths.test(path);
    return {
      path,
      kind,
      owner: source === undefined ? (isMachines ? "machine" : "foreign") : "rendered",
      ...(source === undefined ? {} : { source }),
      covers: now !== absent,
      changedBelow: then !== undefined && then !== now,
    };
  });
  return { entries, hashes };
}
