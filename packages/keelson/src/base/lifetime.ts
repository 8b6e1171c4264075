// What lives long lives in a Lifetime: its tasks end when it ends, and it waits for them.
import { describeError } from "./errors.ts";
import type { Log } from "./log.ts";

/** A scope of background tasks and resources, closed in the reverse order of their making. */
export class Lifetime implements AsyncDisposable {
  readonly #controller = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  readonly #resources: (() => void | Promise<void>)[] = [];
  readonly #log: Log;
  #closing: Promise<void> | undefined;

  constructor(log: Log, parent?: AbortSignal) {
    this.#log = log;
    if (parent?.aborted) this.#controller.abort(parent.reason);
    else parent?.addEventListener("abort", () => void this.close(), { once: true, signal: this.signal });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Runs a task until it returns or the lifetime ends. A failure is logged: tasks handle what they expect. */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    const running = task(this.signal)
      .catch((error: unknown) => {
        if (!this.signal.aborted) this.#log.error(`${name} ended`, { error: describeError(error) });
      })
      .finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  /** Registers something to be closed when the lifetime ends. */
  own<T extends AsyncDisposable>(resource: T): T {
    this.#resources.push(() => Promise.resolve(resource[Symbol.asyncDispose]()));
    return resource;
  }

  defer(cleanup: () => void | Promise<void>): void {
    this.#resources.push(cleanup);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#controller.abort(new Error("closing"));
    await Promise.all(this.#tasks);
    for (const cleanup of this.#resources.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        this.#log.warn("closing failed", { error: describeError(error) });
      }
    }
  }
}
