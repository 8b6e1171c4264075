import { EtcdError, type EtcdClient } from "../client/index.ts";
import { Event_EventType, type Event } from "../proto/generated/mvccpb_pb.ts";
import type { ReplayedChange, ReplayedRevision } from "./history.ts";
import { pause, type LeaseMirror } from "./leases.ts";
import type { Replayer } from "./replayer.ts";

const EVERYTHING = { key: Buffer.alloc(1), rangeEnd: Buffer.alloc(1) };
const LOOK_MS = 10;
const MOST_WAITING = 20_000;

export interface FollowerParts {
  readonly source: EtcdClient;
  readonly replayer: Replayer;
  readonly leases: LeaseMirror;
  readonly signal: AbortSignal;
}

/** Repeats each revision of the source in the target as it comes. */
export class Follower {
  readonly #parts: FollowerParts;
  #failure: EtcdError | undefined;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    void this.#run();
  }

  /** Resolves when the target has that revision. Throws what made following fail, and MIGRATION_FAILED after `mostMs`. */
  async reached(revision: number, mostMs: number): Promise<void> {
    const { replayer, signal } = this.#parts;
    const until = performance.now() + mostMs;
    while (replayer.revision < revision) {
      this.check();
      signal.throwIfAborted();
      if (performance.now() > until) {
        throw new EtcdError(
          "MIGRATION_FAILED",
          `the target is at revision ${replayer.revision} and did not come to ${revision} within ${mostMs} ms`,
        );
      }
      await pause(LOOK_MS, signal);
    }
    this.check();
  }

  /** Throws what made following fail. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    const { source, replayer, leases, signal } = this.#parts;
    try {
      const startRevision = replayer.revision + 1;
      let waiting: Event[] = [];
      let replaying = Promise.resolve();
      const replay = async (): Promise<void> => {
        while (waiting.length > 0) {
          const events = waiting;
          waiting = [];
          await leases.ensure(events.map(({ kv }) => kv?.lease ?? 0n));
          await replayer.replay(revisionsOf(events));
        }
      };
      let isReplaying = false;
      for await (const { events } of source.watchWire(EVERYTHING, { startRevision, signal })) {
        // While some are under way the next ones gather: many together go faster than one by one.
        waiting.push(...events);
        if (waiting.length > MOST_WAITING) await replaying;
        this.check();
        if (isReplaying) continue;
        isReplaying = true;
        replaying = replay()
          .catch((error: unknown) => this.#fail(error))
          .finally(() => (isReplaying = false));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#parts.signal.aborted || this.#failure !== undefined) return;
    const failure = error as EtcdError;
    this.#failure =
      failure.code === "COMPACTED"
        ? new EtcdError(
            "MIGRATION_FAILED",
            "the source was compacted beyond what the target has; let it keep its history longer, then try again",
            { cause: failure },
          )
        : failure;
  }
}

/** Events of a watch, in their order, as revisions. */
export function* revisionsOf(events: readonly Event[]): Generator<ReplayedRevision, void, void> {
  let changes: ReplayedChange[] = [];
  let revision = 0;
  for (const event of events) {
    const at = Number(event.kv?.modRevision ?? 0n);
    if (at !== revision && changes.length > 0) {
      yield { revision, changes, ordered: true };
      changes = [];
    }
    revision = at;
    changes.push(changeOf(event));
  }
  if (changes.length > 0) yield { revision, changes, ordered: true };
}

function changeOf({ type, kv }: Event): ReplayedChange {
  if (kv === undefined) throw new EtcdError("BAD_RESPONSE", "a watch event without a key");
  const key = latin1(kv.key);
  if (type === Event_EventType.DELETE) return { kind: "delete", key, rangeEnd: "" };
  return { kind: "put", key, value: latin1(kv.value), lease: kv.lease };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
