// One client's watch stream: many watches, each with its id. Follows server/etcdserver/api/v3rpc/watch.go.
// Events leave in the order of their revisions; a stream whose client reads slowly falls behind and is served
// from the history when it reads again, so that nothing is queued for it without bound.

import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { keyRange, type KeyRange } from "../../keyspace/requests.ts";
import { utf8, WireReader } from "../../keyspace/wire.ts";
import type { Access } from "../auth/access.ts";
import { readWatchRequest, type WatchCreateRequest } from "../messages/watch.ts";
import type { StreamCall, StreamHandler } from "../transport/call.ts";
import { encodeWatchResponse, type WatchResponse } from "./events.ts";
import { EventBatch, type Watcher, type WatchHub } from "./hub.ts";
import { replay } from "./replay.ts";

/** Versions that a stream that catches up may look at before others have their turn. */
const MOST_SCANNED = 20_000;

export interface WatchStreamOptions {
  readonly hub: WatchHub;
  /** Encoded header field for a revision, 0 for none. */
  readonly header: (revision: number) => string;
  readonly access: Pick<Access, "read">;
  /** Bytes of an answer above which events are split, where the watcher allows it. */
  readonly fragmentBytes: number;
  /** Milliseconds between progress reports. */
  readonly progressInterval: number;
}

interface OwnWatcher extends Watcher {
  readonly id: number;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  /** Events went out since the last progress report was due. */
  wasTold: boolean;
  /** Ended by a compaction. As with etcd, its id stays taken until the client cancels it. */
  isOver: boolean;
}

export class WatchStream implements StreamHandler {
  readonly #options: WatchStreamOptions;
  readonly #call: StreamCall;
  readonly #watchers = new Map<number, OwnWatcher>();
  #nextId = 0;
  #owesProgress = false;
  #progressTimer: NodeJS.Timeout | undefined;
  #catchingUp: NodeJS.Immediate | undefined;

  constructor(options: WatchStreamOptions, call: StreamCall) {
    this.#options = options;
    this.#call = call;
  }

  message(bytes: Buffer): void {
    const request = readWatchRequest(new WireReader(bytes));
    switch (request.kind) {
      case "create":
        return this.#create(request.request);
      case "cancel":
        return this.#cancel(request.watchId);
      case "progress":
        return this.#progress();
      case "none":
        return;
    }
  }

  /** The client has nothing more to ask; its events go on. */
  halfClosed(): void {}

  /** The client reads again. */
  drained(): void {
    this.#catchUp();
  }

  closed(): void {
    clearInterval(this.#progressTimer);
    clearImmediate(this.#catchingUp);
    for (const watcher of this.#watchers.values()) this.#options.hub.remove(watcher);
    this.#watchers.clear();
  }

  get #revision(): number {
    return this.#options.hub.keyspace.revision;
  }

  #create(request: WatchCreateRequest): void {
    // Events of what is already done go out before the answer that names its revision.
    this.#options.hub.flush();
    const range = watchedRange(request);
    const refusal = this.#refusal(request, range);
    const header = this.#options.header(this.#revision);
    if (refusal !== undefined) {
      const cancelReason = utf8(refusal);
      return this.#send({ header, watchId: -1, created: true, canceled: true, cancelReason });
    }
    const watcher = this.#watcher(request, range);
    this.#watchers.set(watcher.id, watcher);
    this.#send({ header, watchId: watcher.id, created: true });
    this.#options.hub.add(watcher);
    if (watcher.progressNotify) this.#startProgress();
    if (!watcher.isCurrent) this.#catchUp();
  }

  #refusal({ key, rangeEnd, watchId }: WatchCreateRequest, range: KeyRange): string | undefined {
    try {
      this.#options.access.read(this.#call, { key: key === "" ? "\0" : key, rangeEnd });
    } catch (error) {
      return cancelReason(error);
    }
    if (!range.point && range.end !== undefined && range.start >= range.end) {
      return "mvcc: watcher range is empty";
    }
    if (watchId !== 0 && this.#watchers.has(watchId)) {
      return "mvcc: duplicate watch ID provided on the WatchStream";
    }
    return undefined;
  }

  #watcher(request: WatchCreateRequest, range: KeyRange): OwnWatcher {
    const { startRevision, fragment, progressNotify, prevKv, noPut, noDelete } = request;
    const next = startRevision === 0 ? this.#revision + 1 : startRevision;
    const watcher: OwnWatcher = {
      id: request.watchId === 0 ? this.#freeId() : request.watchId,
      range,
      filter: { prevKv, noPut, noDelete },
      fragment,
      progressNotify,
      nextRevision: next,
      isCurrent: next > this.#revision,
      wasTold: false,
      isOver: false,
      deliver: (batch) => this.#deliver(watcher, batch),
    };
    return watcher;
  }

  #freeId(): number {
    while (this.#watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #cancel(id: number): void {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return;
    this.#watchers.delete(id);
    this.#options.hub.remove(watcher);
    this.#send({ header: this.#options.header(this.#revision), watchId: id, canceled: true });
  }

  /** Answered only when every watcher of the stream has been told everything; without watchers not at all. */
  #progress(): void {
    this.#options.hub.flush();
    const watchers = [...this.#watchers.values()];
    // etcd counts a watch that a compaction ended among those that are behind, until it is canceled.
    if (watchers.length === 0 || watchers.some(({ isOver }) => isOver)) return;
    this.#owesProgress = watchers.some(({ isCurrent }) => !isCurrent);
    if (!this.#owesProgress) this.#send({ header: this.#options.header(this.#revision), watchId: -1 });
  }

  #startProgress(): void {
    this.#progressTimer ??= setInterval(() => {
      for (const watcher of this.#watchers.values()) {
        if (!watcher.progressNotify) continue;
        if (!watcher.wasTold && watcher.isCurrent) {
          this.#send({ header: this.#options.header(this.#revision), watchId: watcher.id });
        }
        watcher.wasTold = false;
      }
    }, this.#options.progressInterval).unref();
  }

  #deliver(watcher: OwnWatcher, batch: EventBatch): void {
    if (this.#call.isBehind) {
      // It goes on from the first revision of this batch.
      watcher.nextRevision = Math.max(watcher.nextRevision, batch.versions[0]?.main ?? 0);
      watcher.isCurrent = false;
      return;
    }
    const wanted = batch.from(watcher.nextRevision);
    watcher.nextRevision = Math.max(watcher.nextRevision, batch.revision + 1);
    this.#sendEvents(watcher, wanted);
  }

  /** Brings watchers that are behind forward, a turn of the event loop at a time, while the client reads. */
  #catchUp(): void {
    this.#catchingUp ??= setImmediate(() => {
      this.#catchingUp = undefined;
      this.#catchUp();
    });
    let scanned = 0;
    for (const watcher of this.#watchers.values()) {
      while (!watcher.isCurrent && !watcher.isOver) {
        // `drained` comes when the client reads again.
        if (this.#call.isBehind) return this.#stopCatchingUp();
        if (scanned > MOST_SCANNED) return;
        scanned += this.#step(watcher);
      }
    }
    this.#stopCatchingUp();
    if (this.#owesProgress) this.#progress();
  }

  #stopCatchingUp(): void {
    clearImmediate(this.#catchingUp);
    this.#catchingUp = undefined;
  }

  /** Sends a watcher its next events. Returns how many versions were looked at. */
  #step(watcher: OwnWatcher): number {
    const { keyspace } = this.#options.hub;
    const { revision, compactRevision } = keyspace;
    if (watcher.nextRevision < compactRevision) {
      this.#compacted(watcher, compactRevision);
      return 0;
    }
    const { versions, next, scanned } = replay(keyspace, watcher);
    watcher.nextRevision = next;
    watcher.isCurrent = next > revision;
    this.#sendEvents(watcher, new EventBatch(versions, watcher.filter, { revision, compactRevision }));
    return scanned;
  }

  #compacted(watcher: OwnWatcher, compactRevision: number): void {
    watcher.isOver = true;
    this.#options.hub.remove(watcher);
    this.#send({ header: this.#options.header(0), watchId: watcher.id, canceled: true, compactRevision });
  }

  #sendEvents(watcher: OwnWatcher, batch: EventBatch): void {
    if (batch.versions.length === 0) return;
    watcher.wasTold = true;
    this.#options.hub.told(batch.versions.length);
    const header = this.#options.header(batch.revision);
    const whole = { header, watchId: watcher.id, events: batch.encoded };
    const isLarge = batch.encoded.length + header.length >= this.#options.fragmentBytes;
    if (!watcher.fragment || !isLarge || batch.versions.length < 2) return this.#send(whole);
    const parts = split(batch.fields(), this.#options.fragmentBytes - header.length);
    parts.forEach((events, place) => this.#send({ ...whole, events, fragment: place < parts.length - 1 }));
  }

  #send(response: WatchResponse): void {
    this.#call.send(encodeWatchResponse(response));
  }
}

function watchedRange({ key, rangeEnd }: WatchCreateRequest): KeyRange {
  return keyRange(key === "" ? "\0" : key, rangeEnd);
}

/** Joins events up to a size, at least one in each part. */
function split(events: readonly string[], most: number): readonly string[] {
  const parts: string[] = [];
  let part = "";
  for (const event of events) {
    if (part !== "" && part.length + event.length > most) {
      parts.push(part);
      part = "";
    }
    part += event;
  }
  parts.push(part);
  return parts;
}

/** A refusal as etcd writes it into an answer: as its own language prints it. */
function cancelReason(error: unknown): string {
  if (!(error instanceof EtcdError)) throw error;
  const { INVALID_ARGUMENT, UNAUTHENTICATED } = GRPC_STATUS;
  const status = error.grpcStatus;
  const name =
    status === INVALID_ARGUMENT
      ? "InvalidArgument"
      : status === UNAUTHENTICATED
        ? "Unauthenticated"
        : "PermissionDenied";
  return `rpc error: code = ${name} desc = ${error.message}`;
}
