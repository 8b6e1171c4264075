// How far what the page shows is from now.

/** Values older than this are shown as what they are: old. */
export const staleMs = 15_000;
/** A healthy stream says something at least each ten seconds. */
const quietMs = 12_000;
/** The daemon may miss the store for a moment without anybody being told. */
const behindMs = 2000;

export interface LinkFacts {
  /** When the daemon was heard last; undefined before the first time. */
  readonly heardAt: number | undefined;
  /** At `heardAt`: since when the daemon had not heard the store itself. */
  readonly silentMs: number;
  readonly isOpen: boolean;
  /** When the next try is made, while there is no connection. */
  readonly retryAt: number | undefined;
}

export type Liveness =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "behind"; readonly ageMs: number; readonly retryMs: number | undefined }
  | { readonly kind: "stale"; readonly ageMs: number; readonly retryMs: number | undefined };

export function livenessAt(now: number, { heardAt, silentMs, isOpen, retryAt }: LinkFacts): Liveness {
  if (heardAt === undefined) return { kind: "connecting" };
  const sinceHeard = now - heardAt;
  const isFollowing = isOpen && silentMs === 0 && sinceHeard < quietMs;
  if (isFollowing) return { kind: "live" };
  const ageMs = sinceHeard + silentMs;
  const retryMs = isOpen || retryAt === undefined ? undefined : Math.max(0, retryAt - now);
  if (ageMs > staleMs) return { kind: "stale", ageMs, retryMs };
  return isOpen && ageMs < behindMs ? { kind: "live" } : { kind: "behind", ageMs, retryMs };
}
