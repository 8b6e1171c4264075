// How `keel` reaches keeld: HTTP over a Unix socket, or, to read only, over TCP.
import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../../base/clock.ts";
import { KeelError, describeError } from "../../base/errors.ts";
import { check, errorFrom, lines, parseJson, readAll } from "./answer-reading.ts";
import type { Answer } from "./answers/form.ts";
import { describeEndpoint } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";

export interface ClientSettings {
  /** How long one request may take to be answered; 30 s unless given. */
  readonly requestMs?: number | undefined;
  /** For https. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
  /** Tells every request and its answer. */
  readonly trace?: ((text: string) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** How long one request may take to be answered, unless it is a stream. */
const requestMs = 30_000;

export interface Call {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly json?: unknown;
  /** A body that is streamed, with its length. */
  readonly body?: { readonly stream: NodeJS.ReadableStream; readonly bytes: number; readonly type: string };
  /** No limit on the time between request and answer: for streams and uploads. */
  readonly patient?: boolean;
}

/** Calls of one daemon. Every one throws KEEL-601 when it cannot be reached, and the daemon's own errors. */
export class DaemonCalls {
  readonly endpoint: Endpoint;
  readonly #signal: AbortSignal;
  readonly #settings: ClientSettings;

  constructor(endpoint: Endpoint, signal: AbortSignal, settings: ClientSettings) {
    this.endpoint = endpoint;
    this.#signal = signal;
    this.#settings = settings;
  }

  /** The same daemon until this signal fires, too. */
  until(signal: AbortSignal): DaemonCalls {
    return new DaemonCalls(this.endpoint, AbortSignal.any([this.#signal, signal]), this.#settings);
  }

  /** A path's lines of JSON, as they come. */
  async *lines<T>(call: Call, answer: Answer<T>): AsyncGenerator<T> {
    const response = await this.#open(call);
    try {
      for await (const line of lines(response)) {
        if (line.trim() !== "") yield check(answer, parseJson(line, call.path), call.path);
      }
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw error instanceof KeelError ? error : this.#brokenOff(error);
    } finally {
      response.destroy();
    }
  }

  /** The bytes that a path answers, as they come. */
  async *bytes(path: string): AsyncGenerator<Uint8Array, void, void> {
    const response = await this.#open({ path, patient: true });
    try {
      yield* response as AsyncIterable<Uint8Array>;
    } catch (cause) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw new KeelError("KEEL-601", `${path}: the answer ended early`, { cause });
    } finally {
      response.destroy();
    }
  }

  /** The JSON that a path answers, in the form that is expected of it. */
  get<T>(path: string, answer: Answer<T>): Promise<T> {
    return this.json({ path }, answer);
  }

  /** What a call is answered, in the form that is expected of it. */
  async json<T>(call: Call, answer: Answer<T>): Promise<T> {
    const text = new TextDecoder().decode(await this.whole(call));
    return check(answer, parseJson(text, call.path), call.path);
  }

  /** The whole answer. */
  async whole(call: Call): Promise<Uint8Array> {
    const response = await this.#open(call);
    try {
      return await readAll(response);
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw error instanceof KeelError ? error : this.#brokenOff(error);
    }
  }

  /** Sends the request; resolves with an answer of the 200s, throws the daemon's error for any other. */
  async #open(call: Call): Promise<IncomingMessage> {
    const response = await this.#send(call);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const text = new TextDecoder().decode(await readAll(response));
    throw errorFrom(status, text, `${call.method ?? "GET"} ${call.path}`);
  }

  #send(call: Call): Promise<IncomingMessage> {
    const { endpoint } = this;
    const payload = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
    const headers: Record<string, string | number> = { accept: "application/json" };
    if (payload)
      Object.assign(headers, { "content-type": "application/json", "content-length": payload.length });
    if (call.body)
      Object.assign(headers, { "content-type": call.body.type, "content-length": call.body.bytes });
    const { requestMs: patienceMs = requestMs, clock } = this.#settings;
    const [ask, where] = this.#way();
    const began = clock?.now() ?? 0;
    const trace = (outcome: string): void => {
      const ms = Math.round((clock?.now() ?? 0) - began);
      this.#settings.trace?.(
        `${call.method ?? "GET"} ${describeEndpoint(endpoint)} ${call.path}: ${outcome} in ${ms} ms`,
      );
    };
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = ask(
        { ...where, method: call.method ?? "GET", path: call.path, headers, signal: this.#signal },
        (response) => {
          sent.setTimeout(0);
          trace(String(response.statusCode));
          resolve(response);
        },
      );
      if (call.patient !== true) {
        sent.setTimeout(patienceMs, () => sent.destroy(new Error(`no answer within ${patienceMs / 1000} s`)));
      }
      sent.on("error", (error: NodeJS.ErrnoException) => {
        trace(error.message);
        reject(this.#unreachable(error));
      });
      if (call.body) {
        call.body.stream.on("error", (error: Error) => sent.destroy(error));
        call.body.stream.pipe(sent);
      } else sent.end(payload);
    });
  }

  #way(): readonly [typeof httpRequest, RequestOptions & { readonly servername?: string }] {
    const { endpoint } = this;
    if ("socket" in endpoint) return [httpRequest, { socketPath: endpoint.socket }];
    const { hostname, port, protocol } = endpoint.url;
    const isSecure = protocol === "https:";
    const host = { host: hostname.replace(/^\[|\]$/g, ""), port: port || (isSecure ? 443 : 80) };
    const place = endpoint.through === undefined ? host : { socketPath: endpoint.through };
    if (!isSecure) return [httpRequest, place];
    return [httpsRequest, { ...place, ...this.#settings.tls, servername: host.host }];
  }

  #brokenOff(cause: unknown): KeelError {
    const where = describeEndpoint(this.endpoint);
    return new KeelError("KEEL-601", `the daemon at ${where} ended before its answer did`, {
      cause,
      hint: "run the command again when it is back: `keel doctor` says how it is",
    });
  }

  #unreachable(error: NodeJS.ErrnoException): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    const where = describeEndpoint(this.endpoint);
    if (error.code === "EACCES" || error.code === "EPERM") {
      return new KeelError("KEEL-601", `${where} may only be opened by root`, {
        cause: error,
        hint: "run keel as root: sudo keel …",
      });
    }
    const absent = error.code === "ENOENT" || error.code === "ECONNREFUSED";
    const message = absent ? `no daemon answers at ${where}` : `${where}: ${describeError(error)}`;
    return new KeelError("KEEL-601", message, {
      cause: error,
      hint: absent
        ? "`keel up` starts a local cluster; `keel cluster list` shows those that are there"
        : "`keel doctor` says more",
    });
  }
}
