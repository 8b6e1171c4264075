// Looks again and again whether units are well, each by its own rules and at its own times, and a few at once at
// most. The agent makes one; its units' tasks say what is to be followed.
// Invariants: one look at a unit at a time; what is not followed any more is not heard of again.
import type { Clock, Timer } from "../../base/clock.ts";
import { describeError } from "../../base/errors.ts";
import type { Lifetime } from "../../base/lifetime.ts";
import type { Random } from "../../base/random.ts";
import type { Host, ProbeAnswer } from "../../host/host.ts";
import type { HealthRules } from "../../model/placement/rules.ts";
import { beginCourse, continueCourse, type HealthCourse, pauseOf } from "./course.ts";

/** Looks under way at the same time. */
const mostAtOnce = 8;
const firstLookMs = 100;

export interface HealthChecksOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly address: string;
}

/** One start of a unit. */
export interface FollowedStart {
  readonly rules: HealthRules;
  /** systemd's identity of the start. */
  readonly invocation: string;
  /** On the monotonic clock. */
  readonly startedMs: number;
  /** What an earlier daemon found out about this very start. */
  readonly known?: Pick<HealthCourse, "state" | "reason"> | undefined;
}

interface Followed {
  readonly name: string;
  readonly start: FollowedStart;
  readonly controller: AbortController;
  course: HealthCourse;
  timer: Timer | undefined;
}

export class HealthChecks {
  readonly #options: HealthChecksOptions;
  readonly #lifetime: Lifetime;
  readonly #onChange: (name: string) => void;
  readonly #followed = new Map<string, Followed>();
  readonly #waiting: Followed[] = [];
  #underWay = 0;

  /** @param onChange called when a unit's state or reason has changed */
  constructor(options: HealthChecksOptions, lifetime: Lifetime, onChange: (name: string) => void) {
    this.#options = options;
    this.#lifetime = lifetime;
    this.#onChange = onChange;
    lifetime.defer(() => {
      for (const name of this.#followed.keys()) this.forget(name);
    });
  }

  get(name: string): HealthCourse | undefined {
    return this.#followed.get(name)?.course;
  }

  /** Follows this start of the unit from now on. Nothing changes when it is followed already. */
  follow(name: string, start: FollowedStart): void {
    const before = this.#followed.get(name);
    if (before?.start.invocation === start.invocation && before.start.rules === start.rules) return;
    this.forget(name);
    const { rules, startedMs, known } = start;
    const course = beginCourse(rules, startedMs, known);
    const controller = new AbortController();
    const followed: Followed = { name, start, controller, course, timer: undefined };
    this.#followed.set(name, followed);
    // After a restart of the daemon all units are found at once.
    const spreadMs = known === undefined ? 5 * firstLookMs : Math.min(rules.intervalMs, 5000);
    this.#schedule(followed, firstLookMs + spreadMs * this.#options.random.next());
  }

  forget(name: string): void {
    const followed = this.#followed.get(name);
    if (followed === undefined) return;
    this.#followed.delete(name);
    followed.timer?.cancel();
    followed.controller.abort(new Error("not followed any more"));
  }

  #schedule(followed: Followed, ms: number): void {
    followed.timer = this.#options.clock.timer(ms, () => {
      this.#waiting.push(followed);
      this.#next();
    });
  }

  #next(): void {
    while (this.#underWay < mostAtOnce) {
      const followed = this.#waiting.shift();
      if (followed === undefined) return;
      if (this.#followed.get(followed.name) !== followed || this.#lifetime.signal.aborted) continue;
      this.#underWay += 1;
      this.#lifetime.run(`check of ${followed.name}`, async (signal) => {
        try {
          await this.#look(followed, AbortSignal.any([signal, followed.controller.signal]));
        } finally {
          this.#underWay -= 1;
          this.#next();
        }
      });
    }
  }

  async #look(followed: Followed, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const { rules } = followed.start;
    const answer = await this.#ask(followed, signal);
    if (signal.aborted || this.#followed.get(followed.name) !== followed) return;
    const before = followed.course;
    const nowMs = clock.now();
    followed.course = continueCourse(before, rules, { answer, nowMs });
    this.#schedule(followed, pauseOf(followed.course, rules, nowMs) * (0.95 + 0.1 * random.next()));
    const { state, reason } = followed.course;
    if (state !== before.state || reason !== before.reason) this.#onChange(followed.name);
  }

  async #ask({ name, start }: Followed, signal: AbortSignal): Promise<ProbeAnswer> {
    const { host, address } = this.#options;
    const { probe, timeoutMs } = start.rules;
    try {
      return await host.probe(name, probe, { timeoutMs, machine: address, signal });
    } catch (error) {
      return { ok: false, reason: `its check could not be made: ${describeError(error)}` };
    }
  }
}
