// Whose turn it is. A machine's place in a rollout is a number in [0, 100) that comes from its id and the version
// alone: the same on every server, another one for every version, so that nobody is always the canary.
import type { UpdatePolicy, Wave } from "../model/update-service.ts";

/** FNV-1a over the UTF-16 units of a text, mixed as murmur3 does: 32 bits that are spread evenly. */
export function spreadHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place++)
    hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** In [0, 100). Early machines are spread over the first wave, late ones over the last. */
export function placeOf(
  { machine, version, turn }: { machine: string; version: string; turn: "early" | "late" | undefined },
  waves: readonly Wave[],
): number {
  const share = spreadHash(`${machine}\n${version}`) / 2 ** 32;
  if (turn === "early") return share * (waves[0]?.percent ?? 100);
  if (turn === "late") {
    const before = waves.at(-2)?.percent ?? 0;
    return before + share * (100 - before);
  }
  return share * 100;
}

/** What of a rollout opens waves. */
export interface WaveProgress {
  /** Ledger milliseconds. */
  readonly began: number;
  /** Machines that were given the version, … */
  readonly granted: number;
  /** … those of them that vanished, … */
  readonly lapsed: number;
  /** … and that have it and are well. */
  readonly ok: number;
}

export type WaveVerdict =
  | { readonly open: true }
  | {
      readonly open: false;
      /** From 1. */
      readonly wave: number;
      /** Ledger milliseconds; not before. */
      readonly opensAt: number;
      readonly missing?: number;
    };

/** Whether a place has its turn. A wave begins when its time has come and those before it did well enough. */
export function waveOpen(
  place: number,
  { waves }: Pick<UpdatePolicy, "waves">,
  { now, progress }: { readonly now: number; readonly progress: WaveProgress },
): WaveVerdict {
  let opensAt = progress.began;
  let missing = 0;
  for (const [number, wave] of waves.entries()) {
    opensAt = Math.max(opensAt, progress.began + wave.afterSeconds * 1000);
    missing = Math.max(missing, missingSuccesses(wave, progress));
    const open = now >= opensAt && missing === 0;
    if (place < wave.percent) {
      if (open) return { open: true };
      return { open: false, wave: number + 1, opensAt, ...(now >= opensAt ? { missing } : {}) };
    }
  }
  return { open: true };
}

/** Nobody waits for machines that were never given the version, or that vanished with it. */
function missingSuccesses({ successes }: Wave, { granted, lapsed, ok }: WaveProgress): number {
  return Math.max(0, Math.min(successes, granted - lapsed) - ok);
}
