// How tests wait for what real machines have to bring about: no test may depend on how fast a host is.
import { setTimeout as sleep } from "node:timers/promises";

/** Longer than a host needs that does much else beside. */
export const PATIENCE_MS = 120_000;

/**
 * Looks again and again until it does not throw; resolves with what was seen. When patience is over, the last thing
 * that it threw is thrown.
 */
export async function patiently<T>(look: () => T | Promise<T>, everyMs = 100): Promise<T> {
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(everyMs)) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}
