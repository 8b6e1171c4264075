// Asks podman about containers, for many units at once and only for those where systemd does not know: ports
// that podman chose, and health checks.
import type { Clock, Timer } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import type { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { ContainerFacts, Host } from "../host/host.ts";

const gatherMs = 100;
/** Between two looks at health checks: soon after a start, later seldom. */
const healthMs = { starting: 2000, settled: 10_000 } as const;

export class ContainerReader {
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lifetime: Lifetime;
  readonly #onFacts: (name: string) => void;
  readonly #facts = new Map<string, ContainerFacts>();
  /** Units whose health is looked at again and again. */
  readonly #checked = new Set<string>();
  readonly #asked = new Set<string>();
  #timer: Timer | undefined;
  #timerAt = Infinity;

  constructor(
    { host, clock, log }: { readonly host: Host; readonly clock: Clock; readonly log: Log },
    lifetime: Lifetime,
    onFacts: (name: string) => void,
  ) {
    this.#host = host;
    this.#clock = clock;
    this.#log = log;
    this.#lifetime = lifetime;
    this.#onFacts = onFacts;
    lifetime.defer(() => this.#timer?.cancel());
  }

  get(name: string): ContainerFacts | undefined {
    return this.#facts.get(name);
  }

  /** The unit's container has started: its facts are wanted, its health again and again. */
  follow(name: string, hasHealthCheck: boolean): void {
    this.#asked.add(name);
    if (hasHealthCheck) this.#checked.add(name);
    this.#schedule(gatherMs);
  }

  /** The unit runs no more. */
  forget(name: string): void {
    this.#facts.delete(name);
    this.#checked.delete(name);
    this.#asked.delete(name);
  }

  #schedule(ms: number): void {
    const at = this.#clock.now() + ms;
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.timer(ms, () => {
      this.#timerAt = Infinity;
      this.#lifetime.run("container facts", () => this.#read());
    });
  }

  async #read(): Promise<void> {
    const names = [...new Set([...this.#asked, ...this.#checked])];
    this.#asked.clear();
    if (names.length === 0) return;
    try {
      const found = await this.#host.containers(names);
      for (const name of names) this.#note(name, found.get(name));
    } catch (error) {
      this.#log.warn("podman does not tell about containers", { error: describeError(error) });
    }
    if (this.#checked.size === 0) return;
    const someStart = [...this.#checked].some((name) => this.#facts.get(name)?.health !== "healthy");
    this.#schedule(someStart ? healthMs.starting : healthMs.settled);
  }

  #note(name: string, facts: ContainerFacts | undefined): void {
    if (facts === undefined || JSON.stringify(facts) === JSON.stringify(this.#facts.get(name))) return;
    this.#facts.set(name, facts);
    this.#onFacts(name);
  }
}
