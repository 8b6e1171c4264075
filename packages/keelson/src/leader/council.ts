// Asks the deciders one after the other and has written what they say. One that fails, or cannot make up its mind,
// keeps neither the others nor the scheduler from their work: it is logged, and an alarm names it until it is well.
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Decider, DeciderScene, Decision } from "../model/decision.ts";
import { type Allowed, WritingPace } from "./writing-pace.ts";

export const deciderAlarm = (name: string): string => `decider-${name}`;
/** One that failed is asked again after this time at the latest. */
const againAfterMs = 10_000;
/** So often in a row what it says may be void since somebody else was faster. */
const mostVoid = 5;
/** Failures that are the decision's own; others say that nobody knows what was written. */
const ownFailures: ReadonlySet<string> = new Set(["KEEL-402", "KEEL-605"]);

export interface CouncilOptions {
  readonly deciders: readonly Decider[];
  readonly clock: Clock;
  readonly log: Log;
  /** The cluster as it is now, for one decider. */
  readonly scene: () => DeciderScene;
  /** Writes; the next scene shows it. Whether anything was written. */
  readonly write: (decider: Decider, decision: Pick<Decision, "records" | "operations">) => Promise<boolean>;
}

export interface Decided extends Omit<Decision, "records" | "operations"> {
  readonly hasWritten: boolean;
  /** By name, what is to stand now; `undefined` for those that are to be gone. */
  readonly alarms: ReadonlyMap<string, string | undefined>;
}

interface Asked extends Omit<Decided, "alarms"> {
  /** What is wrong with the decider, in words. */
  readonly trouble: string | undefined;
}

export class Council {
  readonly #options: CouncilOptions;
  readonly #paces = new Map<string, WritingPace>();
  readonly #voids = new Map<string, number>();
  readonly #logged = new Map<string, string>();

  constructor(options: CouncilOptions) {
    this.#options = options;
  }

  /** Rejects when what was written is not known, and with KEEL-403 when something was void. */
  async decide(): Promise<Decided> {
    const alarms = new Map<string, string | undefined>();
    let awaitsReports = false;
    let againMs = Infinity;
    let hasWritten = false;
    for (const decider of this.#options.deciders) {
      const asked = await this.#ask(decider);
      awaitsReports ||= asked.awaitsReports;
      againMs = Math.min(againMs, asked.againMs ?? Infinity);
      hasWritten ||= asked.hasWritten;
      alarms.set(deciderAlarm(decider.name), asked.trouble);
      this.#tell(decider, asked.trouble);
    }
    return { awaitsReports, againMs: againMs === Infinity ? undefined : againMs, hasWritten, alarms };
  }

  async #ask(decider: Decider): Promise<Asked> {
    const { clock, scene, write } = this.#options;
    let decision: Decision;
    try {
      decision = decider.decide(scene());
    } catch (error) {
      return this.#failed(error);
    }
    const allowed = this.#pace(decider).allow(decision, clock.now());
    let hasWritten = false;
    try {
      hasWritten = await write(decider, allowed);
    } catch (error) {
      if (!this.#isOwn(decider, error)) throw error;
      return this.#failed(error);
    }
    this.#voids.delete(decider.name);
    const times = [decision.againMs, allowed.againMs, allowed.isCut ? clock.now() : undefined];
    const known = times.flatMap((ms) => (ms === undefined || Number.isNaN(ms) ? [] : [ms]));
    const againMs = known.length === 0 ? undefined : Math.min(...known);
    return { awaitsReports: decision.awaitsReports, againMs, hasWritten, trouble: restlessness(allowed) };
  }

  #failed(error: unknown): Asked {
    const againMs = this.#options.clock.now() + againAfterMs;
    return {
      awaitsReports: false,
      againMs,
      hasWritten: false,
      trouble: `it failed: ${describeError(error)}`,
    };
  }

  /** Whether only this decider is concerned: what it says cannot be written, now or ever. */
  #isOwn(decider: Decider, error: unknown): boolean {
    if (!(error instanceof KeelError)) return false;
    if (ownFailures.has(error.code)) return true;
    if (error.code !== "KEEL-403") return false;
    const voids = (this.#voids.get(decider.name) ?? 0) + 1;
    this.#voids.set(decider.name, voids);
    return voids > mostVoid;
  }

  #pace({ name }: Decider): WritingPace {
    const known = this.#paces.get(name) ?? new WritingPace();
    this.#paces.set(name, known);
    return known;
  }

  #tell({ name }: Decider, trouble: string | undefined): void {
    if (this.#logged.get(name) === trouble) return;
    if (trouble === undefined) this.#logged.delete(name);
    else {
      this.#logged.set(name, trouble);
      this.#options.log.error("a decider is in trouble; everything else goes on", { decider: name, trouble });
    }
  }
}

function restlessness({ restless }: Allowed): string | undefined {
  if (restless.length === 0) return undefined;
  const names = restless.slice(0, 5).join(", ");
  return `it changes its mind all the time about ${names}: left as it is for a minute`;
}
