// QEMU's control socket: one JSON object a line in both directions, answers by id, events in between.
// Source: https://www.qemu.org/docs/master/interop/qmp-spec.html
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { KeelError } from "../../base/errors.ts";

export interface ControlEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The longest line that is believed. */
const longestLine = 1 << 20;
const answerMs = 10_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface ControlOptions {
  /** For each answer; ten seconds unless given. */
  readonly timeoutMs?: number;
  readonly onEvent?: (event: ControlEvent) => void;
}

/**
 * A conversation with one QEMU. QEMU talks to one at a time: others wait, so keep it short.
 * Errors: KEEL-311 when it does not answer, ends, or refuses.
 */
export class ControlSocket implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #options: ControlOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closed: Promise<void>;
  #greeted: Waiting | undefined;
  #last = 0;

  private constructor(socket: Socket, options: ControlOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  static async open(path: string, options: ControlOptions = {}): Promise<ControlSocket> {
    const control = new ControlSocket(createConnection({ path }), options);
    try {
      await control.#answer((waiting) => (control.#greeted = control.#listen(waiting)), "greeting");
      await control.run("qmp_capabilities");
      return control;
    } catch (error) {
      await control[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a command and returns what it returns. */
  async run(execute: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = ++this.#last;
    try {
      return await this.#answer((waiting) => {
        this.#waiting.set(id, waiting);
        this.#socket.write(`${JSON.stringify({ execute, arguments: parameters, id })}\n`);
      }, execute);
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Resolves when QEMU hangs up. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  #listen(greeted: Waiting): Waiting {
    const socket = this.#socket;
    socket.once("error", (error) => this.#fail(error));
    socket.once("close", () => this.#fail(new Error("it hung up")));
    let rest = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > longestLine) socket.destroy(new Error("it sends a line without an end"));
      for (const line of lines) this.#line(line);
    });
    return greeted;
  }

  #line(line: string): void {
    if (line.trim() === "") return;
    const message = parseMessage(line);
    if (message === undefined) return void this.#socket.destroy(new Error("it sends what is no answer"));
    if ("QMP" in message) return this.#greeted?.resolve(undefined);
    if (typeof message.event === "string") return this.#options.onEvent?.(message as unknown as ControlEvent);
    const waiting = typeof message.id === "number" ? this.#waiting.get(message.id) : undefined;
    const error = message.error as { readonly desc?: unknown } | undefined;
    if (error === undefined) return waiting?.resolve(message.return);
    waiting?.reject(new Error(typeof error.desc === "string" ? error.desc : "it refuses"));
  }

  #fail(error: Error): void {
    this.#greeted?.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  async #answer(ask: (waiting: Waiting) => void, what: string): Promise<unknown> {
    const { timeoutMs = answerMs } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
        if (this.#socket.destroyed) reject(new Error("it hung up"));
        else ask({ resolve, reject });
      });
    } catch (cause) {
      throw new KeelError("KEEL-311", `QEMU, asked for ${what}: ${(cause as Error).message}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

function parseMessage(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** One command in a conversation of its own. */
export async function control(
  path: string,
  execute: string,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<unknown> {
  await using socket = await ControlSocket.open(path);
  return await socket.run(execute, parameters);
}
