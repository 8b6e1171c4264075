// Histories: requests, watches and the passing of time, made at random, carried out on two servers side by side.
// A history that was recorded can be carried out again, as a whole or in part.
import assert from "node:assert/strict";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { GRPC_STATUS } from "../../../packages/etcd/src/errors.ts";
import { KV } from "../../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import type { WatchCreateRequestSchema } from "../../../packages/etcd/src/proto/generated/etcdserverpb/watch_pb.ts";
import { carryOut } from "./carry-out.ts";
import type { MixName, RandomRequests, Request } from "./random-requests.ts";
import { RawClient } from "./raw-client.ts";
import { Watching } from "./watching.ts";

export type Step =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "watch"; readonly request: MessageInitShape<typeof WatchCreateRequestSchema> }
  | { readonly kind: "cancel"; readonly watchId: bigint }
  /** A lease of the least TTL with keys, until it has run out. */
  | {
      readonly kind: "expire";
      readonly lease: bigint;
      readonly ttl: bigint;
      readonly keys: readonly Buffer[];
    }
  /** Watches that are behind catch up; a compaction would overtake them. */
  | { readonly kind: "settle" }
  /** Everything that the watches heard is compared, and they end. */
  | { readonly kind: "judge" };

const WATCHES = 12;
const REQUESTS = 100;
const LAST_WATCH = 99n;
/** etcd looks for watchers that are behind ten times a second. */
const SETTLE_MS = 250;
/** Until a watch is canceled that was asked to be. */
const CANCEL_MS = 40;
/** After so long without a progress report there will be none. */
const SILENCE_MS = 500;

/**
 * The steps from one judgement to the next, each made when the revision before it is known. Without a `mix` it is the
 * usual one three times of four.
 */
export function* stretch(
  random: RandomRequests,
  revision: () => number,
  mix?: MixName,
): Generator<Step, void, void> {
  random.mix(mix ?? random.pick(["usual", "usual", "usual", "sums"] as const));
  for (let count = 0; count < WATCHES; count++) yield { kind: "watch", request: watch(random, revision()) };
  yield { kind: "settle" };
  for (let count = 0; count < REQUESTS; count++) {
    if (random.int(60) === 0) yield { kind: "cancel", watchId: BigInt(random.int(WATCHES)) };
    yield { kind: "request", request: random.next(revision()) };
  }
  if (random.int(10) === 0) {
    const keys = Array.from({ length: 3 }, () => random.key()).filter(({ length }) => length > 0);
    const ttl = random.pick([-5n, 0n, 1n, 2n]);
    yield { kind: "expire", lease: 1000n + BigInt(random.int(1000)), ttl, keys };
  }
  yield { kind: "request", request: { kind: "hash", request: { revision: 0n } } };
  yield { kind: "request", request: { kind: "leases", request: {} } };
  yield { kind: "judge" };
}

function watch(random: RandomRequests, revision: number): MessageInitShape<typeof WatchCreateRequestSchema> {
  const filters = [[], [], [0], [1], [0, 1]] as const;
  const starts = [
    0,
    0,
    revision,
    Math.max(1, revision - random.int(40)),
    random.int(revision + 1),
    revision + 3,
  ];
  return {
    key: random.key(),
    rangeEnd: random.end(),
    startRevision: BigInt(random.pick(starts)),
    prevKv: random.int(2) === 0,
    filters: [...random.pick(filters)],
    watchId: random.pick([0n, 0n, 0n, 3n, 40n]),
    fragment: random.int(4) === 0,
  };
}

/** Carries steps out on two servers. Every method throws an AssertionError where the second one differs. */
export class Comparison implements Disposable {
  readonly #clients: readonly [RawClient, RawClient];
  #watches: readonly [Watching, Watching] | undefined;
  #revision = 1;

  /** Addresses of the server that is right, and of the one in question. */
  constructor(right: string, other: string) {
    this.#clients = [new RawClient(right), new RawClient(other)];
  }

  get revision(): number {
    return this.#revision;
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "request":
        return this.#request(step.request);
      case "watch":
        for (const watching of this.#watching()) {
          // One after the other, so that both choose ids from the same state.
          const count = watching.controls() + 1;
          watching.create(step.request);
          await watching.until(() => watching.controls() === count);
        }
        return;
      case "cancel":
        for (const watching of this.#watching()) watching.cancel(step.watchId);
        // What follows is told or not, depending on which came first.
        return this.#settle(CANCEL_MS);
      case "expire":
        return this.#expire(step);
      case "settle":
        return this.#settle();
      case "judge":
        return this.#judge();
    }
  }

  [Symbol.dispose](): void {
    for (const watching of this.#watches ?? []) watching.close();
    for (const client of this.#clients) client[Symbol.dispose]();
  }

  #watching(): readonly [Watching, Watching] {
    const [right, other] = this.#clients;
    this.#watches ??= [new Watching(right), new Watching(other)];
    return this.#watches;
  }

  #settle(milliseconds = SETTLE_MS): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  async #request(request: Request): Promise<void> {
    const [right, other] = this.#clients;
    const expected = await carryOut(right, request);
    const { refused } = expected as { refused?: { code: number; message: string } };
    if (refused?.code === GRPC_STATUS.UNAVAILABLE) {
      assert.fail(`the server that is to be right does not answer any more: ${refused.message}`);
    }
    assert.deepEqual(await carryOut(other, request), expected);
    const { header } = expected as { header?: { revision?: string } };
    if (header?.revision !== undefined) this.#revision = Number(header.revision);
  }

  async #expire({ lease, ttl, keys }: Extract<Step, { kind: "expire" }>): Promise<void> {
    await this.#request({ kind: "grant", request: { ID: lease, TTL: ttl } });
    for (const key of keys) await this.#request({ kind: "put", request: { key, lease } });
    for (const client of this.#clients) {
      const deadline = performance.now() + 30_000;
      for (;;) {
        const left = await client.call(Lease.method.leaseTimeToLive, { ID: lease });
        if ("ok" in left && left.ok.TTL === -1n) break;
        if (performance.now() > deadline) assert.fail(`lease ${lease} has not run out at ${client.address}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    for (const key of keys) await this.#request({ kind: "range", request: { key } });
  }

  /** Puts a last key, waits until it was heard of, and compares everything that was. */
  async #judge(): Promise<void> {
    const [right, other] = this.#watching();
    // A watch that is behind, or begins before a compaction, is told of that some time later.
    await this.#settle();
    const last = { key: Buffer.from("~last"), value: Buffer.from("of the stretch") };
    for (const [place, watching] of [right, other].entries()) {
      watching.create({ key: last.key, watchId: LAST_WATCH });
      await watching.until(() => watching.heard.has(String(LAST_WATCH)));
      await this.#clients[place]?.call(KV.method.put, last);
      await watching.until(() => (watching.heard.get(String(LAST_WATCH))?.length ?? 0) > 1);
    }
    // Others than the last watch may still be under way.
    for (const [id, list] of right.heard) {
      await other.until(() => (other.heard.get(id)?.length ?? 0) >= list.length).catch(() => undefined);
      assert.deepEqual(other.heard.get(id), list, `what watch ${id} heard`);
    }
    assert.equal(other.heard.size, right.heard.size, "how many watches there are");
    await this.#settle();
    const progress = [right, other].map((watching) => progressOf(watching));
    assert.equal(await progress[1], await progress[0], "revision of the progress report");
    for (const watching of [right, other]) watching.close();
    this.#watches = undefined;
    this.#revision++;
  }
}

/** Asks a stream how far it is. It says nothing while one of its watches is behind, or was ended by a compaction. */
async function progressOf(watching: Watching): Promise<bigint | undefined> {
  const report = () =>
    watching.responses.find(
      ({ watchId, created, events }) => watchId === -1n && !created && events.length === 0,
    );
  watching.progress();
  await watching.until(() => report() !== undefined, SILENCE_MS).catch(() => undefined);
  return report()?.header?.revision;
}
