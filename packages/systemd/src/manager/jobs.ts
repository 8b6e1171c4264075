/**
 * Jobs of systemd and how they end. A job's JobRemoved signal may come in before the answer to the call that made
 * the job has been looked at, so results that nobody waits for yet are kept while any such call is under way. Two
 * calls may get the same job: systemd merges what asks for the same.
 */
import { SystemdError } from "../error.ts";

/** How a job ended, in systemd's words; a string, because systemd may add to it. */
export type JobResult =
  | "done"
  | "canceled"
  | "timeout"
  | "failed"
  | "dependency"
  | "skipped"
  | "invalid"
  | "assert"
  | "unsupported"
  | "collected"
  | "once"
  | "frozen"
  | "concurrency"
  | (string & {});

export interface JobOutcome {
  readonly unit: string;
  readonly job: number;
  readonly result: JobResult;
}

export interface PendingJob {
  readonly path: string;
  readonly unit: string;
}

interface Waiter extends PendingJob {
  readonly settle: (result: JobResult) => void;
}

/** Far more than can end between an answer and its being looked at. */
const MAX_EARLY_RESULTS = 4096;

export class JobTracker {
  readonly #waiters = new Set<Waiter>();
  readonly #early = new Map<string, JobResult>();
  #callsUnderWay = 0;

  /** To be told of every JobRemoved. */
  removed(path: string, result: JobResult): void {
    for (const waiter of this.#waiters) {
      if (waiter.path === path) waiter.settle(result);
    }
    if (this.#callsUnderWay === 0) return;
    this.#early.set(path, result);
    const [oldest] = this.#early.keys();
    if (this.#early.size > MAX_EARLY_RESULTS && oldest !== undefined) this.#early.delete(oldest);
  }

  /** The jobs whose end is waited for. */
  pending(): readonly PendingJob[] {
    return [...this.#waiters];
  }

  /**
   * Makes a job with `call`, which resolves to the job's path, and waits for its end.
   * @throws SystemdError `aborted` with the signal's reason; whatever `call` throws
   */
  async run(unit: string, call: () => Promise<string>, signal: AbortSignal): Promise<JobOutcome> {
    this.#callsUnderWay += 1;
    let ended: Promise<JobResult>;
    let path: string;
    try {
      path = await call();
      ended = this.#end(unit, path, signal);
    } finally {
      this.#callsUnderWay -= 1;
      if (this.#callsUnderWay === 0) this.#early.clear();
    }
    return { unit, job: Number(path.slice(path.lastIndexOf("/") + 1)), result: await ended };
  }

  #end(unit: string, path: string, signal: AbortSignal): Promise<JobResult> {
    const early = this.#early.get(path);
    if (early !== undefined) return Promise.resolve(early);
    const { promise, resolve, reject } = Promise.withResolvers<JobResult>();
    const giveUp = (): void => {
      this.#waiters.delete(waiter);
      reject(
        new SystemdError("aborted", `waiting for the job of ${unit} was given up`, { cause: signal.reason }),
      );
    };
    const settle = (result: JobResult): void => {
      this.#waiters.delete(waiter);
      signal.removeEventListener("abort", giveUp);
      resolve(result);
    };
    const waiter: Waiter = { path, unit, settle };
    this.#waiters.add(waiter);
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
    return promise;
  }
}
