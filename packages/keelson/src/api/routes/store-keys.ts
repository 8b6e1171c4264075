// The store's keys by hand. Only over the socket, reading too: the store may hold what other programs keep secret.
import { KeelError } from "../../base/errors.ts";
import type { KeySpan, StoredKey, StoreKeys } from "../../model/stored-key.ts";
import {
  keyHistoryView,
  keyPageView,
  keyPutSchema,
  keyRemovalSchema,
  storedKeyView,
} from "../../model/stored-key-view.ts";
import { jsonAnswer } from "../answer.ts";
import { readJson } from "../body.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { lineStream, pulledStream } from "../events/pulled-stream.ts";
import type { Bindings } from "../listener.ts";

/** Most keys in one answer. */
const mostKeys = 1000;
/** Most bytes of values in one answer, after which the rest is left to the next page. */
const mostPageBytes = 16 << 20;
const stuckMs = 30_000;
const aliveMs = 10_000;

type Query = (name: string) => string | undefined;

export function storeKeyRoutes(routes: ApiRoutes, context: ApiContext): void {
  const { clock, log } = context.options;

  routes.get("/v1/store/keys", async (c) => {
    const query: Query = (name) => c.req.query(name);
    const limit = Math.min(number(query("limit"), "limit") ?? mostKeys, mostKeys);
    const keysOnly = query("keysOnly") === "true";
    const revision = number(query("revision"), "revision") ?? 0;
    const page = await keysFor(context, c.env).range(spanOf(query), { limit, keysOnly, revision });
    let bytes = 0;
    const fits = page.keys.filter(
      ({ value }, place) => place === 0 || (bytes += value.length) < mostPageBytes,
    );
    const more = page.more || fits.length < page.keys.length;
    return jsonAnswer(keyPageView({ ...page, keys: fits, more }));
  });

  routes.get("/v1/store/history", async (c) => {
    const { start } = spanOf((name) => c.req.query(name));
    return jsonAnswer(keyHistoryView(await keysFor(context, c.env).history(start)));
  });

  routes.post("/v1/store/keys/put", async (c) => {
    const keys = keysFor(context, c.env);
    const { key, end: _end, value, ...change } = await readJson(c.env.incoming, clock, keyPutSchema);
    const span = { start: bytesOf(key) };
    const answer = await keys.put({ ...change, span }, bytesOf(value));
    log.info("a key of the store was written by hand", { key: printable(span.start), ...answer });
    return jsonAnswer(answer);
  });

  routes.post("/v1/store/keys/remove", async (c) => {
    const keys = keysFor(context, c.env);
    const { key, end, ...change } = await readJson(c.env.incoming, clock, keyRemovalSchema);
    const span = { start: bytesOf(key), ...(end === undefined ? {} : { end: bytesOf(end) }) };
    const answer = await keys.remove({ ...change, span });
    log.info("keys of the store were deleted by hand", { key: printable(span.start), ...answer });
    return jsonAnswer(answer);
  });

  routes.get("/v1/store/watch", (c) => {
    const query: Query = (name) => c.req.query(name);
    return watching(context, c.env, { span: spanOf(query), from: number(query("from"), "from") });
  });
}

/** Lines of JSON, each with the changes of whole revisions; one without changes is a sign of life. */
function watching(
  context: ApiContext,
  bindings: Bindings,
  { span, from }: { readonly span: KeySpan; readonly from: number | undefined },
): Response {
  const keys = keysFor(context, bindings);
  const { clock } = context.options;
  const slot = context.streams.take();
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, context.signal]);
  const batches = keys
    .watch(span, { signal, ...(from === undefined ? {} : { from }) })
    [Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<readonly StoredKey[]>> | undefined;
  const line = (events: readonly StoredKey[]): string =>
    `${JSON.stringify({ events: events.map(storedKeyView) })}\n`;
  const next = async (until: AbortSignal): Promise<string | undefined> => {
    const { promise: alive, resolve } = Promise.withResolvers<undefined>();
    const timer = clock.timer(aliveMs, () => resolve(undefined));
    const over = (): void => resolve(undefined);
    until.addEventListener("abort", over, { once: true });
    try {
      pending ??= batches.next();
      // It may fail while no reader waits for it; the next one is told.
      pending.catch(() => undefined);
      const result = await Promise.race([pending, alive]);
      if (result === undefined) return line([]);
      pending = undefined;
      return result.done === true ? undefined : line(result.value);
    } finally {
      timer.cancel();
      until.removeEventListener("abort", over);
    }
  };
  const body = pulledStream({
    next,
    first: line([]),
    clock,
    stuckMs,
    drop: () => bindings.outgoing.destroy(),
    ended: () => {
      ending.abort();
      slot[Symbol.dispose]();
    },
    signal: context.signal,
  });
  return lineStream(body);
}

function keysFor({ options }: ApiContext, { entrance }: Bindings): StoreKeys {
  if (entrance !== "socket") {
    throw new KeelError(
      "KEEL-604",
      "the store’s keys are not shown on TCP: use keel on the machine, as root",
    );
  }
  if (options.storeKeys === undefined) throw new KeelError("KEEL-104", "no store’s keys are served here");
  return options.storeKeys;
}

function spanOf(query: Query): KeySpan {
  const [key, end] = [query("key"), query("end")];
  if (key === undefined) throw new KeelError("KEEL-104", "the parameter key is missing");
  const start = Buffer.from(key, "base64url");
  if (start.length === 0) throw new KeelError("KEEL-104", "the parameter key is empty");
  return end === undefined ? { start } : { start, end: Buffer.from(end, "base64url") };
}

function number(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,15}$/.test(text)) return value;
  throw new KeelError("KEEL-104", `${name}: ${JSON.stringify(text.slice(0, 40))} is no whole number`);
}

function bytesOf(base64: string): Uint8Array {
  return Buffer.from(base64, "base64");
}

function printable(key: Uint8Array): string {
  return Buffer.from(key)
    .toString("latin1")
    .replaceAll(/[^ -~]/g, "?")
    .slice(0, 200);
}
