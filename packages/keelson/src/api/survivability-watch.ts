// The cluster's survivability, worked out when somebody asks for it, beside everything else: in slices that take at
// most a tenth of a processor, once for each state of the cluster. It never holds a request up for long: who asks
// meanwhile hears that it is being worked out, with the last verdict and its time.
import type { Clock } from "../base/clock.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import { type Survivability, survivability } from "../scheduler/foretelling/survivability.ts";
import type { ClusterReader } from "./cluster-reader.ts";
import { foretellers } from "./foretellers.ts";

/** A slice of work, and how many times as long others have their turn after it. */
const sliceMs = 5;
const restTimes = 9;
/** How long who asks waits for a verdict that may come at once. */
const patienceMs = 300;
/** Between two beginnings. */
const leastPauseMs = 1000;

export interface Verdict {
  readonly survivability: Survivability;
  readonly revision: number;
  /** Unix milliseconds at which it was reached. */
  readonly at: number;
}

export interface Judgement {
  /** The last one; undefined before the first. */
  readonly verdict: Verdict | undefined;
  /** It is about the cluster as it is now. */
  readonly isCurrent: boolean;
}

export class SurvivabilityWatch implements AsyncDisposable {
  readonly #reader: ClusterReader;
  readonly #clock: Clock;
  readonly #lifetime: Lifetime;
  #verdict: Verdict | undefined;
  /** What the verdict rests on. */
  #basis: readonly unknown[] = [];
  #running: Promise<void> | undefined;
  #notBefore = -Infinity;

  constructor(reader: ClusterReader, clock: Clock, log: Log) {
    this.#reader = reader;
    this.#clock = clock;
    this.#lifetime = new Lifetime(log);
  }

  /** Begins to work it out when it is not known. */
  async judge(view: ClusterView): Promise<Judgement> {
    const { snapshot } = await this.#reader.read(view);
    if (this.#knows(snapshot)) return { verdict: this.#verdict, isCurrent: true };
    if (this.#running === undefined && this.#clock.now() >= this.#notBefore) this.#begin(view, snapshot);
    const patience = new AbortController();
    const over = this.#clock.sleep(patienceMs, patience.signal).catch(() => undefined);
    await Promise.race([this.#running, over]);
    patience.abort();
    return { verdict: this.#verdict, isCurrent: this.#knows(snapshot) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  #knows(snapshot: ClusterSnapshot): boolean {
    return this.#verdict !== undefined && basisOf(snapshot).every((part, at) => part === this.#basis[at]);
  }

  #begin(view: ClusterView, snapshot: ClusterSnapshot): void {
    const done = Promise.withResolvers<void>();
    this.#running = done.promise;
    this.#lifetime.run("survivability", async (signal) => {
      try {
        await this.#work(view, snapshot, signal);
      } finally {
        this.#running = undefined;
        done.resolve();
      }
    });
  }

  async #work(view: ClusterView, snapshot: ClusterSnapshot, signal: AbortSignal): Promise<void> {
    const { placements } = this.#reader;
    const begun = this.#clock.now();
    const facts = this.#reader.times(view);
    const work = survivability(snapshot, { placements, facts, deciders: foretellers });
    let sliceBegan = begun;
    for (;;) {
      const { done, value } = work.next();
      if (done === true) {
        this.#verdict = { survivability: value, revision: snapshot.revision, at: this.#clock.wall() };
        this.#basis = basisOf(snapshot);
        break;
      }
      const tookMs = this.#clock.now() - sliceBegan;
      if (tookMs < sliceMs) continue;
      await this.#clock.sleep(restTimes * tookMs, signal);
      sliceBegan = this.#clock.now();
    }
    this.#notBefore = this.#clock.now() + leastPauseMs;
  }
}

/** The parts of a snapshot from which it follows where units are placed. */
const basisOf = ({ machines, members, units, schedule, ...rest }: ClusterSnapshot): readonly unknown[] => [
  machines,
  members,
  units,
  schedule,
  rest.machineSettings,
  rest.settings,
  rest.moves,
  rest.rollouts,
];
