/**
 * Lets a number of things be under way at a time; the others wait for their turn. As etcd's gateway, which is one
 * client of its own server, this one has as many calls at a time as a client may have.
 */
export class Turnstile {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #inside = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Begins at once or later. What it returns is to be called when it is over, or no longer wanted: once. */
  enter(begin: () => void): () => void {
    let isInside = false;
    const turn = (): void => {
      isInside = true;
      this.#inside++;
      begin();
    };
    if (this.#inside < this.#most) turn();
    else this.#waiting.add(turn);
    return () => {
      if (!isInside) return void this.#waiting.delete(turn);
      this.#inside--;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
