// One watch that outlives its connections. Invariants: every event from the start revision on is yielded
// exactly once and in order, the events of one revision in one batch; after a disconnect the watch resumes
// behind the last revision that was yielded; when the store no longer has that history, it says so and ends.
import { EtcdError } from "../errors.ts";
import { WatchCreateRequest_FilterType as Filter } from "../proto/generated/etcdserverpb/watch_pb.ts";
import type { WatchResponse } from "../proto/generated/etcdserverpb/watch_pb.ts";
import { Event_EventType } from "../proto/generated/mvccpb_pb.ts";
import type { Event } from "../proto/generated/mvccpb_pb.ts";
import { Backoff } from "./backoff.ts";
import type { Caller } from "./caller.ts";
import type { Connection } from "./connection.ts";
import { codeOfWords, mayPass, memberUnwell, toEtcdError } from "./failure.ts";
import { rangeOf, toKeyValue } from "./key-value.ts";
import type { KeySelector, KeyValue } from "./key-value.ts";
import { revisionBits, wholeNumber } from "./limits.ts";
import type { Pass } from "./login.ts";
import { RPC } from "./rpc.ts";

export type WatchEvent =
  | { readonly type: "put"; readonly kv: KeyValue; readonly previous: KeyValue | undefined }
  /** `kv` has only the key, and the deletion's revision as `modRevision`. */
  | { readonly type: "delete"; readonly kv: KeyValue; readonly previous: KeyValue | undefined };

export interface WatchBatch {
  /** `progress` has no events; it says that everything up to `revision` was told. */
  readonly kind: "events" | "progress";
  /** Everything up to this revision has been told with this batch. */
  readonly revision: number;
  readonly events: readonly WatchEvent[];
}

export interface WatchOptions {
  /** First revision to tell about. Default: what comes after the watch was made. */
  readonly startRevision?: number | undefined;
  /** Also tell the pair before each change, as far as it is not compacted. */
  readonly prevKv?: boolean | undefined;
  /**
   * Also yield `progress`: once when a watch without `startRevision` was made (from then on nothing is
   * missed), and whenever the server reports it (etcd: every ten minutes without events).
   */
  readonly progressNotify?: boolean | undefined;
  /** Ask the server this often, in milliseconds, how far it is: with `progressNotify`, to see where "now" is. */
  readonly askProgressMs?: number | undefined;
  /** Leave out puts, or deletions. */
  readonly without?: "put" | "delete" | undefined;
  /** Ends the watch: the iteration is over, without an error. */
  readonly signal: AbortSignal;
}

/** A batch with etcd's own messages: keys as the bytes that they are. */
export type WireBatch = Omit<WatchBatch, "events"> & { readonly events: readonly Event[] };

/** See {@link EtcdClient.watch}. */
export async function* watch(
  caller: Caller,
  selector: KeySelector,
  options: WatchOptions,
): AsyncGenerator<WatchBatch, void, void> {
  const batches = watchWire(caller, rangeOf(selector), options);
  for await (const batch of batches) yield { ...batch, events: batch.events.map(toWatchEvent) };
}

/** See {@link EtcdClient.watchWire}. */
export async function* watchWire(
  caller: Caller,
  range: ReturnType<typeof rangeOf>,
  options: WatchOptions,
): AsyncGenerator<WireBatch, void, void> {
  const position = new Position(options);
  const { clock, log, random } = caller.surroundings;
  const pause = new Backoff({ firstMs: 50, maxMs: 1000 }, random);
  while (!options.signal.aborted) {
    let connection: Connection | undefined;
    let pass: Pass | undefined;
    try {
      connection = await caller.connector.acquire(undefined, options.signal);
      pass = await caller.login?.pass(connection, options.signal);
      const { askProgressMs } = options;
      const creation = { request: request(range, options, position.next), token: pass?.token, askProgressMs };
      for await (const response of responses(connection, creation, options.signal)) {
        caller.heard();
        pause.reset();
        const batch = position.advance(response);
        if (batch !== undefined && (batch.kind === "events" || options.progressNotify === true)) yield batch;
        if (options.signal.aborted) return;
      }
      log.debug("the server ended a watch; it is resumed", { next: position.next });
    } catch (error) {
      if (options.signal.aborted) return;
      const failure = toEtcdError(error, "watch");
      const expired = pass !== undefined && caller.login?.refused(pass, failure) === true;
      if (!expired && !mayPass(failure) && failure.code !== "INTERNAL") throw failure;
      if (connection !== undefined && memberUnwell(failure)) caller.connector.moveOn(connection);
      log.debug("a watch was interrupted; it is resumed", { next: position.next, error: failure.message });
    }
    // Without a connection nothing was asked, and the connector spaces its rounds by itself.
    if (connection !== undefined) await clock.sleep(pause.next(), options.signal).catch(() => {});
  }
}

function request(range: ReturnType<typeof rangeOf>, options: WatchOptions, start: number | undefined) {
  const filters = { put: [Filter.NOPUT], delete: [Filter.NODELETE] } as const;
  return {
    ...range,
    startRevision: start === undefined ? 0n : BigInt(start),
    prevKv: options.prevKv ?? false,
    progressNotify: true,
    fragment: true,
    filters: options.without === undefined ? [] : [...filters[options.without]],
  };
}

/** The responses of one stream. */
async function* responses(
  connection: Connection,
  creation: {
    readonly request: ReturnType<typeof request>;
    readonly token: string | undefined;
    readonly askProgressMs: number | undefined;
  },
  signal: AbortSignal,
): AsyncGenerator<WatchResponse, void, void> {
  const call = connection.stream(RPC.watch, creation.token);
  const cancel = () => call.cancel();
  // The iteration takes its listener away when it ends; a cancelled call reports an error after that.
  call.on("error", () => {});
  signal.addEventListener("abort", cancel, { once: true });
  const ask = () => void call.write({ requestUnion: { case: "progressRequest", value: {} } });
  const asking = creation.askProgressMs === undefined ? undefined : setInterval(ask, creation.askProgressMs);
  try {
    call.write({ requestUnion: { case: "createRequest", value: creation.request } });
    yield* call as AsyncIterable<WatchResponse>;
  } finally {
    clearInterval(asking);
    signal.removeEventListener("abort", cancel);
    call.cancel();
  }
}

/** How far a watch has come, and what the next response adds to it. */
class Position {
  /** First revision not yet told; undefined before the server has said where "now" is. */
  next: number | undefined;
  #clusterId: bigint | undefined;
  #held: Event[] = [];

  constructor(options: WatchOptions) {
    this.next = options.startRevision;
    if (options.startRevision !== undefined) revisionBits(options.startRevision);
  }

  /**
   * The batch that a response completes, if any.
   * @throws EtcdError COMPACTED, STORE_REPLACED, BAD_RESPONSE, or why the server refused the watch
   */
  advance(response: WatchResponse): WireBatch | undefined {
    if (response.canceled) throw this.#canceled(response);
    if (response.header === undefined)
      throw new EtcdError("BAD_RESPONSE", "a watch response without a header");
    this.#sameStore(response.header.clusterId);
    const revision = wholeNumber(response.header.revision);
    if (response.created) {
      this.#held = [];
      if (this.next !== undefined) return undefined;
      this.next = revision + 1;
      return { kind: "progress", revision, events: [] };
    }
    if (response.events.length === 0 && !response.fragment && this.#held.length === 0) {
      this.next = Math.max(this.next ?? 0, revision + 1);
      return { kind: "progress", revision, events: [] };
    }
    return this.#events(response);
  }

  /** A fragment may end in the middle of a revision; that revision's events are held until the rest is there. */
  #events(response: WatchResponse): WireBatch | undefined {
    const next = this.next ?? 0;
    this.#held.push(...response.events.filter((event) => revisionOf(event) >= next));
    const events = this.#held;
    const last = events.at(-1);
    if (last === undefined) return undefined;
    const newest = revisionOf(last);
    const complete = response.fragment
      ? events.findIndex((event) => revisionOf(event) === newest)
      : events.length;
    const told = complete === 0 ? undefined : events[complete - 1];
    if (told === undefined) return undefined;
    this.#held = events.splice(complete);
    const revision = revisionOf(told);
    this.next = revision + 1;
    return { kind: "events", revision, events };
  }

  #sameStore(clusterId: bigint): void {
    this.#clusterId ??= clusterId;
    if (this.#clusterId !== clusterId) {
      throw new EtcdError(
        "STORE_REPLACED",
        "another store answers now; what was known of the old one is void",
      );
    }
  }

  #canceled(response: WatchResponse): EtcdError {
    if (response.compactRevision > 0n) {
      const compactRevision = wholeNumber(response.compactRevision);
      return new EtcdError(
        "COMPACTED",
        `revision ${this.next} cannot be watched any more; the store begins at ${compactRevision}`,
        { compactRevision, grpcStatus: 11 },
      );
    }
    const reason = response.cancelReason;
    const refused = /^rpc error: code = \w+ desc = (.*)$/s.exec(reason)?.[1];
    if (refused !== undefined) {
      const code = codeOfWords(refused) ?? "PERMISSION_DENIED";
      return new EtcdError(code, `watch: ${reason}`);
    }
    if (/watcher range is empty|duplicate watch ID/.test(reason)) {
      return new EtcdError("INVALID_ARGUMENT", `watch: ${reason}`);
    }
    return new EtcdError(
      "UNAVAILABLE",
      `watch: the server ended it: ${reason === "" ? "no reason given" : reason}`,
    );
  }
}

function revisionOf({ kv }: Event): number {
  if (kv === undefined) throw new EtcdError("BAD_RESPONSE", "a watch event without a key");
  return wholeNumber(kv.modRevision);
}

function toWatchEvent(wire: Event): WatchEvent {
  if (wire.kv === undefined) throw new EtcdError("BAD_RESPONSE", "a watch event without a key");
  return {
    type: wire.type === Event_EventType.DELETE ? "delete" : "put",
    kv: toKeyValue(wire.kv),
    previous: wire.prevKv === undefined ? undefined : toKeyValue(wire.prevKv),
  };
}
