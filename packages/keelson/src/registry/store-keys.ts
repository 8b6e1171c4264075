// All keys of a store, whoever wrote them, for those who look at them by hand: with etcd's own messages, since keys
// may be any bytes.
import { CompareResult, CompareTarget, EventType, RPC } from "@keelson/etcd/client";
import type { EtcdClient, EtcdError, WireBatch } from "@keelson/etcd/client";
import { KeelError } from "../base/errors.ts";
import type { ErrorCode } from "../base/error-catalogue.ts";
import { checkChange, mostValueBytes } from "../model/stored-key.ts";
import type { KeyChange, KeyHistory, KeyPage, KeySpan, StoredKey, StoreKeys } from "../model/stored-key.ts";
import { isStoreAway } from "./store-client.ts";

type WireEvent = WireBatch["events"][number];
type WireKey = NonNullable<WireEvent["kv"]>;

const callMs = 5000;
const historyMs = 20_000;
const askProgressMs = 50;
const nothing = new Uint8Array();
/** Most states of one key that are shown. */
const mostStates = 10_000;

type Patience = <T>(send: () => Promise<T>) => Promise<T>;

export class EtcdStoreKeys implements StoreKeys {
  readonly #current: () => EtcdClient;
  readonly #patiently: Patience;

  /**
   * `current` gives the client for the next call: the store may go elsewhere. `patiently` makes a call again that a
   * sealed store refused.
   */
  constructor(current: () => EtcdClient, patiently: Patience = (send) => send()) {
    this.#current = current;
    this.#patiently = patiently;
  }

  get #client(): EtcdClient {
    return this.#current();
  }

  async range(
    span: KeySpan,
    options: { readonly limit?: number; readonly keysOnly?: boolean; readonly revision?: number } = {},
  ): Promise<KeyPage> {
    const { limit = 0, keysOnly = false, revision = 0 } = options;
    const request = { ...wireSpan(span), limit: BigInt(limit), keysOnly, revision: BigInt(revision) };
    const answer = await said(
      this.#client.call(RPC.range, request, { deadlineMs: callMs, idempotent: true }),
    );
    return {
      revision: Number(answer.header?.revision ?? 0n),
      keys: answer.kvs.map(toStoredKey),
      count: Number(answer.count),
      more: answer.more,
    };
  }

  async put(change: KeyChange, value: Uint8Array): Promise<{ readonly revision: number }> {
    checkChange(change);
    if (value.length > mostValueBytes) {
      throw new KeelError(
        "KEEL-605",
        `a value of ${value.length} bytes; at most ${mostValueBytes} are taken`,
      );
    }
    const put = { key: change.span.start, value };
    const { revision } = await this.#txn(change, { case: "requestPut", value: put });
    return { revision };
  }

  async remove(change: KeyChange): Promise<{ readonly revision: number; readonly removed: number }> {
    checkChange(change);
    const { revision, responses } = await this.#txn(change, {
      case: "requestDeleteRange",
      value: wireSpan(change.span),
    });
    const first = responses[0]?.response;
    return { revision, removed: first?.case === "responseDeleteRange" ? Number(first.value.deleted) : 0 };
  }

  async history(key: Uint8Array): Promise<KeyHistory> {
    return await said(this.#history(key, AbortSignal.timeout(historyMs)));
  }

  async *watch(
    span: KeySpan,
    options: { readonly from?: number; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly StoredKey[], void, void> {
    const { from, signal } = options;
    try {
      const batches = this.#client.watchWire(wireSpan(span), { startRevision: from, signal });
      for await (const { events } of batches) yield events.map(fromEvent);
    } catch (error) {
      throw asKeelError(error);
    }
  }

  /** Follows the key from the oldest revision there is until the server says that it has told everything. */
  async #history(key: Uint8Array, signal: AbortSignal): Promise<KeyHistory> {
    const states: StoredKey[] = [];
    let compactRevision = 0;
    for (;;) {
      const options = {
        startRevision: Math.max(1, compactRevision),
        progressNotify: true,
        askProgressMs,
        signal,
      };
      try {
        for await (const { kind, events, revision } of this.#client.watchWire(
          wireSpan({ start: key }),
          options,
        )) {
          states.push(...events.map(fromEvent));
          if (states.length > mostStates) {
            throw new KeelError("KEEL-605", `the key has more than ${mostStates} states that are kept`);
          }
          if (kind === "progress") return await this.#withOldest(key, { states, compactRevision, revision });
        }
        throw new KeelError("KEEL-401", `the store did not tell the history within ${historyMs / 1000} s`);
      } catch (error) {
        const { code, compactRevision: oldest } = error as EtcdError;
        if (code !== "COMPACTED" || oldest === undefined || oldest <= compactRevision) throw error;
        compactRevision = oldest;
      }
    }
  }

  /** With the state that the key had at the oldest revision that can be read, if it was written before that. */
  async #withOldest(
    key: Uint8Array,
    found: {
      readonly states: readonly StoredKey[];
      readonly compactRevision: number;
      readonly revision: number;
    },
  ): Promise<KeyHistory> {
    const { states, compactRevision, revision } = found;
    const [oldest] =
      compactRevision > 0 ? (await this.range({ start: key }, { revision: compactRevision })).keys : [];
    const isOlder = oldest !== undefined && oldest.modRevision < (states[0]?.modRevision ?? Infinity);
    const all = isOlder ? [oldest, ...states] : states;
    const first = all[0];
    const isCut = compactRevision > 0 && (first === undefined || first.version !== 1);
    return { revision, compactRevision, states: all, isCut };
  }

  async #txn({ span, unchangedSince }: KeyChange, operation: NonNullable<Parameters<typeof txnRequest>[1]>) {
    const request = txnRequest({ span, unchangedSince }, operation);
    const answer = await said(
      this.#patiently(() => this.#client.call(RPC.txn, request, { deadlineMs: callMs })),
    );
    if (!answer.succeeded) {
      throw new KeelError("KEEL-714", `something was written after revision ${unchangedSince}`);
    }
    return { revision: Number(answer.header?.revision ?? 0n), responses: answer.responses };
  }
}

function txnRequest(
  condition: { readonly span: KeySpan; readonly unchangedSince: number | undefined },
  operation:
    | { case: "requestPut"; value: { key: Uint8Array; value: Uint8Array } }
    | { case: "requestDeleteRange"; value: { key: Uint8Array; rangeEnd: Uint8Array } },
) {
  const { span, unchangedSince } = condition;
  const until = { case: "modRevision" as const, value: BigInt((unchangedSince ?? 0) + 1) };
  const untouched = {
    ...wireSpan(span),
    result: CompareResult.LESS,
    target: CompareTarget.MOD,
    targetUnion: until,
  };
  return { compare: unchangedSince === undefined ? [] : [untouched], success: [{ request: operation }] };
}

function wireSpan({ start, end = nothing }: KeySpan): { key: Uint8Array; rangeEnd: Uint8Array } {
  return { key: start, rangeEnd: end };
}

function toStoredKey({ key, value, createRevision, modRevision, version, lease }: WireKey): StoredKey {
  return {
    key,
    value,
    createRevision: Number(createRevision),
    modRevision: Number(modRevision),
    version: Number(version),
    lease,
  };
}

function fromEvent({ type, kv }: WireEvent): StoredKey {
  if (kv === undefined) throw new KeelError("KEEL-715", "the store told of a change without a key");
  const stored = toStoredKey(kv);
  return type === EventType.DELETE ? { ...stored, version: 0 } : stored;
}

const codes: Readonly<Record<string, ErrorCode>> = {
  COMPACTED: "KEEL-713",
  FUTURE_REVISION: "KEEL-713",
  ABORTED: "KEEL-401",
};

async function said<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw asKeelError(error);
  }
}

function asKeelError(error: unknown): unknown {
  if (error instanceof KeelError || !(error instanceof Error) || !("code" in error)) return error;
  const code = codes[String(error.code)] ?? (isStoreAway(error) ? "KEEL-401" : "KEEL-715");
  return new KeelError(code, error.message, { cause: error });
}
