// Chance is passed in. A seeded source replays a failing run.

export interface Random {
  /** The next number in [0, 1). */
  next(): number;
}

export const systemRandom: Random = { next: () => Math.random() };

/** mulberry32: 32 bits of state, good enough to shuffle and to jitter, not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * An identity that sorts by time: ten characters of milliseconds, then six of chance
 * (Crockford's base 32, so it can be read aloud).
 */
export function timeOrderedId(wallMs: number, random: Random): string {
  let text = "";
  let rest = Math.floor(wallMs);
  for (let i = 0; i < 10; i++) {
    text = alphabet[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  for (let i = 0; i < 6; i++) text += alphabet[Math.floor(random.next() * 32)];
  return text;
}
