// A metadata service, asked until it answers or patience ends.
import { Backoff } from "../../base/backoff.ts";
import { describeError, KeelError } from "../../base/errors.ts";
import { systemRandom } from "../../base/random.ts";
import { isPublicKey } from "../reading/names.ts";
import { fetchBounded } from "./http.ts";
import type { Answer, Request } from "./http.ts";
import type { Asking } from "./source.ts";

/** Answers that say to come back: everything else is final. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504]);

export class AskedService {
  readonly #asking: Asking;
  readonly #base: string;
  readonly #name: string;
  readonly #end: number;

  constructor(asking: Asking, base: string, name: string) {
    this.#asking = asking;
    this.#base = base;
    this.#name = name;
    this.#end = asking.clock.now() + asking.patienceMs;
  }

  /** The answer, whatever its status, unless that is a passing one. Rejects with KEEL-842. */
  async ask(path: string, request: Request = {}): Promise<Answer> {
    const { clock, signal } = this.#asking;
    const backoff = new Backoff({ firstMs: 250, maxMs: 5000 }, systemRandom);
    for (;;) {
      let reason: string;
      try {
        const timeoutMs = Math.max(500, Math.min(5000, this.#end - clock.now()));
        const answer = await fetchBounded(`${this.#base}${path}`, { timeoutMs, ...request, signal });
        if (!passing.has(answer.status)) return answer;
        reason = `it answers ${answer.status}`;
      } catch (error) {
        if (signal?.aborted === true) throw error;
        reason = describeError(error);
      }
      const wait = backoff.next();
      if (clock.now() + wait >= this.#end)
        throw new KeelError("KEEL-842", `the metadata service of ${this.#name} at ${this.#base}: ${reason}`, {
          hint: "is the machine's network up, and the metadata service switched on for it?",
        });
      await clock.sleep(wait, signal);
    }
  }

  /** The body; undefined for 404. Rejects with KEEL-842 for any other answer than 200. */
  async get(path: string, request: Request = {}): Promise<Buffer | undefined> {
    const { status, body } = await this.ask(path, request);
    if (status === 200) return body;
    if (status === 404) return undefined;
    throw new KeelError("KEEL-842", `the metadata service of ${this.#name} answers ${status} to ${path}`);
  }

  /** One short line; undefined for none. */
  async line(path: string, request: Request = {}): Promise<string | undefined> {
    const text = (await this.get(path, request))?.toString().trim();
    return text === undefined || text === "" || text.length > 1024 || text.includes("\n") ? undefined : text;
  }
}

/** JSON that may be anything. Undefined when it is none. */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is below a path of names and numbers; undefined when there is nothing. */
export function inside(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}

/** A text that is not empty. */
export function textOf(value: unknown, maxLength = 1024): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= maxLength ? value : undefined;
}

/** Keys as metadata has them: a mapping or a list of lines. What is no key is left out. */
export function keysIn(value: unknown): readonly string[] {
  const lines = typeof value === "object" && value !== null ? Object.values(value) : [];
  return lines
    .slice(0, 100)
    .flatMap((line: unknown) => (typeof line === "string" ? line.split("\n") : []))
    .map((line) => line.trim())
    .filter((line) => isPublicKey(line));
}
