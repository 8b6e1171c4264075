// A release's files below a URL. Whatever the server sends, the bytes that are taken are bounded by their callers.
import type { Clock } from "../../base/clock.ts";
import { KeelError, describeError } from "../../base/errors.ts";
import type { OpenedFile, ReleaseSource } from "./release-source.ts";

export interface HttpSourceOptions {
  readonly clock: Clock;
  /** How long a server may take to answer, and to send anything further. */
  readonly patienceMs?: number;
}

const mostRedirects = 5;
const standardPatienceMs = 30_000;

export class HttpSource implements ReleaseSource {
  readonly place: string;
  readonly isLocal = false;
  readonly #base: URL;
  readonly #clock: Clock;
  readonly #patienceMs: number;

  /** Throws KEEL-104 for a URL that cannot be used. */
  constructor(url: string, { clock, patienceMs = standardPatienceMs }: HttpSourceOptions) {
    this.#base = parseBase(url);
    this.place = `${this.#base.origin}${this.#base.pathname}`;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  async document(name: string, limit: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const opened = await this.open(name, 0, signal).catch((error: unknown) => {
      if (error instanceof KeelError && error.details?.["missing"] === true) return undefined;
      throw error;
    });
    if (opened === undefined) return undefined;
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of opened.chunks) {
      bytes += chunk.byteLength;
      if (bytes > limit)
        throw new KeelError("KEEL-807", `${name} is larger than the ${limit} bytes that it may have`);
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  }

  list(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async open(name: string, offset: number, signal?: AbortSignal): Promise<OpenedFile> {
    const watch = new Watch(this.#clock, this.#patienceMs, signal);
    try {
      const response = await this.#request(name, offset, watch);
      const { start, size } = rangeOf(response, offset, name);
      return { offset: start, ...(size === undefined ? {} : { size }), chunks: body(response, watch, name) };
    } catch (error) {
      watch.end();
      throw this.#problem(error, name, watch);
    }
  }

  async #request(name: string, offset: number, watch: Watch): Promise<Response> {
    let url = new URL(encodeURIComponent(name), this.#base);
    url.search = this.#base.search;
    for (let redirects = 0; ; redirects++) {
      const response = await fetch(url, {
        redirect: "manual",
        signal: watch.signal,
        headers: {
          "accept-encoding": "identity",
          ...(offset === 0 ? {} : { range: `bytes=${offset}-` }),
        },
      });
      if (![301, 302, 303, 307, 308].includes(response.status)) return accepted(response, name);
      await response.body?.cancel();
      const target = response.headers.get("location");
      if (target === null || redirects >= mostRedirects)
        throw permanent("KEEL-806", `${name} is redirected ${target === null ? "nowhere" : "in circles"}`);
      const next = new URL(target, url);
      if (
        !["http:", "https:"].includes(next.protocol) ||
        (url.protocol === "https:" && next.protocol === "http:")
      )
        throw permanent("KEEL-806", `${name} is redirected to ${next.origin}, which is no safe place`);
      url = next;
    }
  }

  #problem(error: unknown, name: string, watch: Watch): unknown {
    if (error instanceof KeelError || watch.abortedFromOutside) return error;
    const words = watch.timedOut ? `no answer in ${this.#patienceMs / 1000} s` : describeError(error);
    return new KeelError("KEEL-806", `${name} from ${this.place}: ${words}`, { cause: error });
  }
}

/** Ends a request on which nothing moves. */
class Watch {
  readonly signal: AbortSignal;
  timedOut = false;
  readonly #controller = new AbortController();
  readonly #outside: AbortSignal | undefined;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  #timer: { cancel(): void };

  constructor(clock: Clock, patienceMs: number, outside: AbortSignal | undefined) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#outside = outside;
    this.signal =
      outside === undefined ? this.#controller.signal : AbortSignal.any([outside, this.#controller.signal]);
    this.#timer = this.#arm();
  }

  get abortedFromOutside(): boolean {
    return this.#outside?.aborted === true;
  }

  moved(): void {
    this.#timer.cancel();
    this.#timer = this.#arm();
  }

  end(): void {
    this.#timer.cancel();
    this.#controller.abort();
  }

  #arm(): { cancel(): void } {
    return this.#clock.timer(this.#patienceMs, () => {
      this.timedOut = true;
      this.#controller.abort(new Error("no answer in time"));
    });
  }
}

async function* body(response: Response, watch: Watch, name: string): AsyncIterable<Uint8Array> {
  try {
    if (response.body === null) return;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      watch.moved();
      yield chunk;
      watch.moved();
    }
  } catch (error) {
    if (error instanceof KeelError || watch.abortedFromOutside) throw error;
    const words = watch.timedOut ? "the server stopped sending" : `broke off: ${describeError(error)}`;
    throw new KeelError("KEEL-806", `${name}: ${words}`, { cause: error });
  } finally {
    watch.end();
  }
}

function accepted(response: Response, name: string): Response {
  const { status } = response;
  const type = response.headers.get("content-type") ?? "";
  if (status === 404 || status === 410) {
    void response.body?.cancel();
    throw new KeelError("KEEL-806", `${name} is not on the server`, {
      details: { permanent: true, missing: true },
    });
  }
  if (status === 416 || status === 408 || status === 429 || status >= 500) {
    void response.body?.cancel();
    throw new KeelError("KEEL-806", `the server answers ${status} for ${name}`);
  }
  if (status !== 200 && status !== 206) {
    void response.body?.cancel();
    throw permanent("KEEL-806", `the server answers ${status} for ${name}`);
  }
  if (/^(text\/html|application\/xhtml)/i.test(type)) {
    void response.body?.cancel();
    throw permanent(
      "KEEL-807",
      `the server sends a web page in place of ${name}: a proxy or a login, perhaps`,
    );
  }
  return response;
}

/** Where the answer begins, and how large the whole file is. */
function rangeOf(
  response: Response,
  offset: number,
  name: string,
): { readonly start: number; readonly size?: number } {
  if (response.status === 200) {
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    return { start: 0, ...(Number.isSafeInteger(length) ? { size: length } : {}) };
  }
  const match = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(
    response.headers.get("content-range") ?? "",
  );
  if (match === null || Number(match[1]) !== offset) {
    void response.body?.cancel();
    throw new KeelError("KEEL-806", `the server sends another part of ${name} than was asked for`);
  }
  return { start: offset, ...(match[2] === "*" ? {} : { size: Number(match[2]) }) };
}

function permanent(code: "KEEL-806" | "KEEL-807", message: string): KeelError {
  return new KeelError(code, message, { details: { permanent: true } });
}

function parseBase(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol))
    throw new KeelError("KEEL-104", `${text} is no URL of http or https`);
  if (url.username !== "" || url.password !== "")
    throw new KeelError(
      "KEEL-104",
      "a URL with a password in it would end up in records and lists of processes",
    );
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  url.hash = "";
  return url;
}
