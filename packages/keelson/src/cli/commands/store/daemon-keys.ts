// The store's keys as keeld serves them.
import {
  keyChangedSchema,
  keyEventsSchema,
  keyHistorySchema,
  keyPageSchema,
  storedKeyOf,
} from "../../../model/stored-key-view.ts";
import type { KeyEventsView, KeyHistoryView, KeyPageView } from "../../../model/stored-key-view.ts";
import type {
  KeyChange,
  KeyHistory,
  KeyPage,
  KeySpan,
  StoredKey,
  StoreKeys,
} from "../../../model/stored-key.ts";
import type { Answer } from "../../daemon/answers/form.ts";
import type { DaemonClient } from "../../daemon/client.ts";

const page = keyPageSchema as unknown as Answer<KeyPageView>;
const past = keyHistorySchema as unknown as Answer<KeyHistoryView>;
const lines = keyEventsSchema as unknown as Answer<KeyEventsView>;
const changed = keyChangedSchema as unknown as Answer<{
  readonly revision: number;
  readonly removed?: number | undefined;
}>;

export class DaemonKeys implements StoreKeys {
  readonly #daemon: DaemonClient;

  constructor(daemon: DaemonClient) {
    this.#daemon = daemon;
  }

  async range(
    span: KeySpan,
    options: { readonly limit?: number; readonly keysOnly?: boolean; readonly revision?: number } = {},
  ): Promise<KeyPage> {
    const { keys, ...rest } = await this.#daemon.read(`/v1/store/keys?${query(span, options)}`, page);
    return { ...rest, keys: keys.map(storedKeyOf) };
  }

  put(change: KeyChange, value: Uint8Array): Promise<{ readonly revision: number }> {
    const json = { ...body(change), value: base64(value) };
    return this.#daemon.post("/v1/store/keys/put", json, changed);
  }

  async remove(change: KeyChange): Promise<{ readonly revision: number; readonly removed: number }> {
    const { revision, removed = 0 } = await this.#daemon.post("/v1/store/keys/remove", body(change), changed);
    return { revision, removed };
  }

  async history(key: Uint8Array): Promise<KeyHistory> {
    const { states, ...rest } = await this.#daemon.read(`/v1/store/history?${query({ start: key })}`, past);
    return { ...rest, states: states.map(storedKeyOf) };
  }

  async *watch(
    span: KeySpan,
    { from, signal }: { readonly from?: number; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly StoredKey[], void, void> {
    const path = `/v1/store/watch?${query(span, from === undefined ? {} : { from })}`;
    for await (const { events } of this.#daemon.until(signal).stream(path, lines)) {
      if (events.length > 0) yield events.map(storedKeyOf);
    }
  }
}

function query(span: KeySpan, options: Readonly<Record<string, number | boolean | undefined>> = {}): string {
  const words = new URLSearchParams({ key: Buffer.from(span.start).toString("base64url") });
  if (span.end !== undefined) words.set("end", Buffer.from(span.end).toString("base64url"));
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== false && value !== 0) words.set(name, String(value));
  }
  return words.toString();
}

function body({ span, unchangedSince, force }: KeyChange): Readonly<Record<string, unknown>> {
  return {
    key: base64(span.start),
    ...(span.end === undefined ? {} : { end: base64(span.end) }),
    ...(unchangedSince === undefined ? {} : { unchangedSince }),
    ...(force === true ? { force } : {}),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
