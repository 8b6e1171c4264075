// The keys API over HTTP/1.1.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { EtcdError } from "../errors.ts";
import { Counts } from "./counts.ts";
import { percentDecode, readForm } from "./form.ts";
import { Keys, type KeysAnswer, type KeysOptions } from "./keys.ts";
import type { KeysStore } from "./keys-store.ts";
import { eventJson, type KeysEvent, type KeysNode } from "./node.ts";
import { everything, journalKey } from "./paths.ts";
import { goJson, KeysRefusal } from "./refusal.ts";
import { readRequest, type KeysMethod, type KeysRequest } from "./request.ts";
import { KeysWatchHub } from "./watch-hub.ts";

export interface KeysLimits {
  /** Bytes of a form. 2 MiB. */
  readonly maxBodyBytes: number;
  /** Requests that wait at a time. */
  readonly maxWatchers: number;
  /** Of these on one connection: a client can send many without waiting for answers. */
  readonly maxWatchersPerConnection: number;
  /** How long a request waits before its answer ends without an event. Five minutes, as etcd's. */
  readonly maxWaitMs: number;
}

const DEFAULT_LIMITS: KeysLimits = {
  maxBodyBytes: 2 << 20,
  maxWatchers: 10_000,
  maxWatchersPerConnection: 16,
  maxWaitMs: 300_000,
};
const METHODS: ReadonlySet<string> = new Set(["GET", "PUT", "POST", "DELETE"]);
const FORM_TYPE = "application/x-www-form-urlencoded";
/** Bytes that a stream's client leaves unread before the stream is ended. */
const MOST_UNREAD_BYTES = 4 << 20;
const BODY_MS = 30_000;

/** One who may not do everything. */
export interface KeysVisitor {
  /** Carries out what is asked for; the handler's own unless given. */
  readonly keys?: Keys | undefined;
  /** Whether an answer may be shown; a request for one that may not is refused, an event left out. */
  readonly mayShow?: (event: KeysEvent) => boolean;
}

export interface KeysHandlerOptions extends KeysOptions {
  readonly limits?: Partial<KeysLimits>;
  /**
   * Answers a request whose history was compacted from what is there now, instead of refusing it: with the files
   * that were written since. For clients to whom nothing else matters, and who give up when they are refused.
   */
  readonly bridgesCompaction?: boolean;
  /** Throws a {@link KeysRefusal} for a request that is not to be answered, or says for whom it is. */
  readonly admit?: (
    request: KeysRequest,
    response: ServerResponse,
  ) => KeysVisitor | void | Promise<KeysVisitor | void>;
}

/** Serves the keys of a store. */
export class KeysHandler implements Disposable {
  readonly keys: Keys;
  readonly #counts = new Counts();
  readonly #store: KeysStore;
  readonly #hub: KeysWatchHub;
  readonly #root: string;
  readonly #limits: KeysLimits;
  readonly #admit: KeysHandlerOptions["admit"];
  readonly #bridges: boolean;
  readonly #waiting = new WeakMap<Socket, number>();

  constructor(store: KeysStore, options: KeysHandlerOptions) {
    this.#store = store;
    this.#root = options.root ?? "";
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#admit = options.admit;
    this.#bridges = options.bridgesCompaction ?? false;
    this.keys = new Keys(store, options);
    this.#hub = new KeysWatchHub(store, { root: this.#root, wall: options.wall });
  }

  /** Requests that wait now. */
  get watchers(): number {
    return this.#hub.count;
  }

  /** Requests by kind and end. */
  get counts(): Readonly<Record<string, number>> {
    return this.#counts.all;
  }

  /** Answers a request for the node at `path`, percent-encoded as it came. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    try {
      const method = request.method === "HEAD" ? "GET" : (request.method ?? "");
      if (!METHODS.has(method)) return methodNotAllowed(request, response);
      this.#head(response);
      const parsed = await this.#read(request, method as KeysMethod, path);
      const visitor = (await this.#admit?.(parsed, response)) ?? {};
      if (parsed.wait) return await this.#watch(parsed, response, visitor);
      const answer = await this.#answer(parsed, visitor.keys ?? this.keys);
      if (parsed.method === "GET" && visitor.mayShow?.(answer.event) === false)
        throw new KeysRefusal("unauthorized", "Insufficient credentials");
      sendAnswer(response, answer, { request: parsed, store: this.#store });
    } catch (error) {
      refuse(response, error);
    }
  }

  [Symbol.dispose](): void {
    this.#hub[Symbol.dispose]();
  }

  async #answer(request: KeysRequest, keys: Keys): Promise<KeysAnswer> {
    let answer: KeysAnswer | undefined;
    try {
      answer = await keys.answer(request);
      return answer;
    } finally {
      this.#counts.add(request, answer);
    }
  }

  #head(response: ServerResponse): void {
    const { clusterId } = this.#store.identity;
    if (clusterId !== undefined) response.setHeader("X-Etcd-Cluster-Id", clusterId);
  }

  async #read(request: IncomingMessage, method: KeysMethod, path: string): Promise<KeysRequest> {
    const question = (request.url ?? "").indexOf("?");
    const query = question < 0 ? "" : (request.url ?? "").slice(question + 1);
    const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
    const hasForm = (method === "PUT" || method === "POST") && type === FORM_TYPE;
    const body = hasForm ? await readBody(request, this.#limits.maxBodyBytes) : "";
    if (!hasForm) request.resume();
    return readRequest(method, percentDecode(path), readForm(body, query));
  }

  async #watch(parsed: KeysRequest, response: ServerResponse, visitor: KeysVisitor): Promise<void> {
    const { socket } = response.req;
    const mine = (this.#waiting.get(socket) ?? 0) + 1;
    if (mine > this.#limits.maxWatchersPerConnection || this.#hub.count >= this.#limits.maxWatchers)
      throw new KeysRefusal("internal", "too many requests wait already");
    this.#waiting.set(socket, mine);
    const gone = new AbortController();
    const stop = (): void => gone.abort();
    response.once("close", stop);
    const timer = setTimeout(stop, this.#limits.maxWaitMs);
    try {
      await this.#wait(parsed, response, { signal: gone.signal, mayShow: visitor.mayShow ?? (() => true) });
    } finally {
      clearTimeout(timer);
      response.off("close", stop);
      gone.abort();
      this.#waiting.set(socket, (this.#waiting.get(socket) ?? 1) - 1);
    }
  }

  async #wait(
    parsed: KeysRequest,
    response: ServerResponse,
    { signal, mayShow }: { readonly signal: AbortSignal; readonly mayShow: (event: KeysEvent) => boolean },
  ): Promise<void> {
    const { path, recursive, stream, waitIndex } = parsed;
    const { index, since: all } = await this.#history(parsed);
    const since = all?.filter(mayShow);
    writeHead(response, 200, { index, store: this.#store });
    response.flushHeaders();
    if (response.req.method === "HEAD") return void response.end();
    const isNow = waitIndex === 0n || since !== undefined;
    const from = isNow ? index + 1 : Number(waitIndex);
    for (const event of stream ? (since ?? []) : (since ?? []).slice(0, 1))
      response.write(goJson(eventJson(event)));
    if (!stream && since !== undefined && since.length > 0) return void response.end();
    for await (const event of this.#hub.watch({ path, recursive, from, signal })) {
      if (!mayShow(event)) continue;
      response.write(goJson(eventJson(event)));
      if (!stream || response.writableLength > MOST_UNREAD_BYTES) break;
    }
    response.end();
  }

  /** The store's index; and if the history from `waitIndex` on is gone, what was written since, if that will do. */
  async #history(
    request: KeysRequest,
  ): Promise<{ readonly index: number; readonly since?: readonly KeysEvent[] }> {
    try {
      return { index: await this.#readable(request.waitIndex) };
    } catch (error) {
      if (!this.#bridges || !(error instanceof KeysRefusal) || error.refused !== "indexCleared") throw error;
    }
    const { event, index } = await this.keys.answer({ ...request, wait: false });
    const since = filesOf(event.node)
      .filter(({ modifiedIndex }) => BigInt(modifiedIndex) >= request.waitIndex)
      .toSorted((a, b) => a.modifiedIndex - b.modifiedIndex)
      .map((node): KeysEvent => {
        const action = node.createdIndex === node.modifiedIndex ? "create" : "set";
        return { action, node, prevNode: undefined };
      });
    return { index, since };
  }

  /** The store's index. Refused if the history from `waitIndex` on is gone. */
  async #readable(waitIndex: bigint): Promise<number> {
    const { revision } = await this.#store.read([{ key: journalKey(this.#root) }]);
    if (waitIndex === 0n || waitIndex > BigInt(revision)) return revision;
    const from = Number(waitIndex);
    try {
      await this.#store.read([{ key: journalKey(this.#root) }], from);
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== "COMPACTED") throw error;
      const start = error.compactRevision ?? (await this.#startOfHistory(from));
      throw new KeysRefusal(
        "indexCleared",
        `the requested history has been cleared [${start}/${from}]`,
        revision,
      );
    }
    return revision;
  }

  async #startOfHistory(from: number): Promise<number> {
    const stop = new AbortController();
    try {
      for await (const { revision } of this.#store.watch(everything(this.#root), from, stop.signal))
        return revision;
    } catch (error) {
      if (error instanceof EtcdError && error.compactRevision !== undefined) return error.compactRevision;
      throw error;
    } finally {
      stop.abort();
    }
    return from + 1;
  }
}

function filesOf(node: KeysNode): readonly KeysNode[] {
  return node.dir ? (node.nodes ?? []).flatMap(filesOf) : [node];
}

/** The body of a form, as text. Refused: invalidForm for one that is too large. */
function readBody(request: IncomingMessage, mostBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // Whoever is gone by now says so no more.
    if (request.destroyed) throw new KeysRefusal("invalidForm", "unexpected EOF");
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => request.destroy(), BODY_MS);
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= mostBytes) return void chunks.push(chunk);
      // Node tells nothing more of a request once it was answered, not even that it is over: the clock runs on.
      timer.unref();
      reject(new KeysRefusal("invalidForm", "http: POST too large"));
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
    request.once("close", () => {
      clearTimeout(timer);
      reject(new KeysRefusal("invalidForm", "unexpected EOF"));
    });
  });
}

function sendAnswer(
  response: ServerResponse,
  { event, index, isCreated }: KeysAnswer,
  { request, store }: { readonly request: KeysRequest; readonly store: KeysStore },
): void {
  const mayHide = event.action !== "get" && event.action !== "delete" && event.action !== "compareAndDelete";
  const body = goJson(request.noValueOnSuccess && mayHide ? { action: event.action } : eventJson(event));
  response.setHeader("Content-Length", Buffer.byteLength(body));
  writeHead(response, isCreated ? 201 : 200, { index, store });
  response.end(body);
}

function writeHead(
  response: ServerResponse,
  status: number,
  { index, store }: { readonly index: number; readonly store: KeysStore },
): void {
  const { raftIndex, raftTerm } = store.identity;
  response.writeHead(status, {
    "Content-Type": "application/json",
    "X-Etcd-Index": String(index),
    ...(raftIndex === undefined ? {} : { "X-Raft-Index": String(raftIndex) }),
    ...(raftTerm === undefined ? {} : { "X-Raft-Term": String(raftTerm) }),
  });
}

/** Answers with an error as the keys API has it. */
export function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const refusal = error instanceof KeysRefusal ? error : asRefusal(error);
  response.writeHead(refusal.status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(refusal.body),
    "X-Etcd-Index": String(refusal.index),
    ...(response.req.complete ? {} : { Connection: "close" }),
  });
  response.end(refusal.body);
}

function asRefusal(error: unknown): KeysRefusal {
  const reason = error instanceof Error ? error.message : String(error);
  const isElection =
    error instanceof EtcdError && (error.code === "NO_LEADER" || error.code === "LEADER_CHANGED");
  return new KeysRefusal(isElection ? "election" : "internal", reason);
}

function methodNotAllowed(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(405, {
    Allow: "HEAD,GET,PUT,POST,DELETE",
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
  });
  response.end("Method Not Allowed\n");
}
