import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { BCRYPT_COST, carryOut, MOST_PASSWORD_BYTES, type PasswordJob } from "./bcrypt.ts";

/** Jobs that may wait: more are refused, so that a flood of them does not shut everybody out for long. */
const MOST_WAITING = 256;
const MOST_THREADS = 4;
/** A thread without work for so long is ended. */
const IDLE_MS = 10_000;

interface Waiting {
  readonly job: PasswordJob;
  readonly resolve: (result: string | boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Hashes and compares passwords in threads of their own, started when they are needed. */
export class Passwords implements AsyncDisposable {
  readonly #cost: number;
  readonly #waiting: Waiting[] = [];
  readonly #threads = new Set<PasswordThread>();
  #closed = false;

  /** @throws EtcdError INVALID_ARGUMENT for a cost that bcrypt does not know */
  constructor(cost: number = BCRYPT_COST.default) {
    const { least, most } = BCRYPT_COST;
    if (!Number.isInteger(cost) || cost < least || cost > most) {
      throw new EtcdError(
        "INVALID_ARGUMENT",
        `bcrypt cost ${cost} is not a whole number from ${least} to ${most}`,
      );
    }
    this.#cost = cost;
  }

  /** Throws, as etcd does, when a password is longer than bcrypt can take. */
  check(password: string): void {
    if (Buffer.byteLength(password) > MOST_PASSWORD_BYTES) {
      const message = `bcrypt: password length exceeds ${MOST_PASSWORD_BYTES} bytes`;
      throw new EtcdError("INVALID_ARGUMENT", message, { grpcStatus: GRPC_STATUS.UNKNOWN });
    }
  }

  /** @throws EtcdError TOO_MANY_REQUESTS, SERVER_STOPPED, and what {@link check} throws */
  async hash(password: string): Promise<string> {
    this.check(password);
    return (await this.#enqueue({ kind: "hash", password, cost: this.#cost })) as string;
  }

  /** @throws EtcdError TOO_MANY_REQUESTS, SERVER_STOPPED */
  async matches(password: string, hash: string): Promise<boolean> {
    // bcrypt looks at 72 bytes; more need not wait in memory.
    const start = password.slice(0, MOST_PASSWORD_BYTES + 1);
    return (await this.#enqueue({ kind: "compare", password: start, hash })) as boolean;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(EtcdError.refusal("SERVER_STOPPED"));
    await Promise.all([...this.#threads].map((thread) => thread.end()));
  }

  #enqueue(job: PasswordJob): Promise<string | boolean> {
    if (this.#closed) return Promise.reject(EtcdError.refusal("SERVER_STOPPED"));
    if (this.#waiting.length >= MOST_WAITING) return Promise.reject(EtcdError.refusal("TOO_MANY_REQUESTS"));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    let thread = [...this.#threads].find(({ isIdle }) => isIdle);
    if (thread === undefined && this.#threads.size < threadsWanted()) {
      thread = new PasswordThread({
        idle: () => this.#next(),
        ended: (ended) => this.#threads.delete(ended),
      });
      this.#threads.add(thread);
    }
    const waiting = thread === undefined ? undefined : this.#waiting.shift();
    if (waiting !== undefined) thread?.take(waiting);
  }
}

function threadsWanted(): number {
  return Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1));
}

/** Beside this file, as source or built; without it the work is done here, and holds up all else meanwhile. */
function workerFile(): string | undefined {
  return ["./password-worker.ts", "./password-worker.js"]
    .map((name) => fileURLToPath(new URL(name, import.meta.url)))
    .find((file) => existsSync(file));
}

class PasswordThread {
  readonly #on: { idle(): void; ended(thread: PasswordThread): void };
  #worker: Worker | undefined;
  #current: Waiting | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(on: { idle(): void; ended(thread: PasswordThread): void }) {
    this.#on = on;
    const file = workerFile();
    if (file === undefined) return;
    this.#worker = new Worker(file);
    this.#worker.unref();
    this.#worker.on("message", (answer: { readonly result?: string | boolean; readonly error?: string }) => {
      if (answer.result === undefined) this.#settle(({ reject }) => reject(new Error(answer.error)));
      else this.#settle(({ resolve }) => resolve(answer.result as string | boolean));
    });
    this.#worker.on("error", (error) => this.#settle(({ reject }) => reject(error)));
    this.#worker.once("exit", () => {
      this.#isOver = true;
      this.#on.ended(this);
      this.#settle(({ reject }) => reject(EtcdError.refusal("SERVER_STOPPED")));
    });
  }

  get isIdle(): boolean {
    return this.#current === undefined && !this.#isOver;
  }

  take(waiting: Waiting): void {
    clearTimeout(this.#idleTimer);
    this.#current = waiting;
    if (this.#worker !== undefined) {
      this.#worker.ref();
      this.#worker.postMessage(waiting.job);
      return;
    }
    carryOut(waiting.job).then(
      (result) => this.#settle(({ resolve }) => resolve(result)),
      (error: unknown) => this.#settle(({ reject }) => reject(error)),
    );
  }

  async end(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#idleTimer);
    this.#settle(({ reject }) => reject(EtcdError.refusal("SERVER_STOPPED")));
    this.#on.ended(this);
    await this.#worker?.terminate();
  }

  #settle(how: (waiting: Waiting) => void): void {
    const waiting = this.#current;
    this.#current = undefined;
    this.#worker?.unref();
    if (waiting !== undefined) how(waiting);
    if (this.#isOver) return;
    this.#idleTimer = setTimeout(() => void this.end(), IDLE_MS).unref();
    this.#on.idle();
  }
}
