// Random requests over few keys, so that they meet: ranges, puts, deletes, nested transactions, compactions,
// leases, with wrong ones among them. The same seed gives the same requests.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Compare_CompareResult,
  Compare_CompareTarget,
  CompareSchema,
  DeleteRangeRequestSchema,
  PutRequestSchema,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeRequestSchema,
  RequestOpSchema,
  TxnRequestSchema,
} from "../../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";

export type Request =
  | { readonly kind: "range"; readonly request: MessageInitShape<typeof RangeRequestSchema> }
  | { readonly kind: "put"; readonly request: MessageInitShape<typeof PutRequestSchema> }
  | { readonly kind: "delete"; readonly request: MessageInitShape<typeof DeleteRangeRequestSchema> }
  | { readonly kind: "txn"; readonly request: MessageInitShape<typeof TxnRequestSchema> }
  | { readonly kind: "compact"; readonly request: { revision: bigint; physical: boolean } }
  | { readonly kind: "hash"; readonly request: { revision: bigint } }
  | { readonly kind: "leases"; readonly request: Record<string, never> }
  | { readonly kind: "grant"; readonly request: { ID: bigint; TTL: bigint } }
  | { readonly kind: "revoke"; readonly request: { ID: bigint } }
  | { readonly kind: "timeToLive"; readonly request: { ID: bigint; keys: boolean } }
  | { readonly kind: "keepAlive"; readonly request: { ID: bigint } };

const KEYS = ["a", "b", "c", "d", "aa", "ab", "b/1", "b/2", "b/3", "ÿ", "c\0", "d/x"];
const ENDS = ["", "", "", "b", "c", "b0", "b/4", "e", "\0", "a", "aaa"];

export class RandomRequests {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** `revision` is the store's, to ask for others near it. */
  next(revision: number): Request {
    const dice = this.#random();
    if (dice < 0.3) return { kind: "put", request: this.#put() };
    if (dice < 0.42) return { kind: "range", request: this.#range(revision) };
    if (dice < 0.5) return { kind: "delete", request: this.#delete() };
    if (dice < 0.84) return { kind: "txn", request: this.#txn(revision, 2) };
    if (dice < 0.86) return { kind: "hash", request: { revision: this.#revision(revision) } };
    if (dice < 0.88) return { kind: "compact", request: this.#compact(revision) };
    if (dice < 0.92) return { kind: "grant", request: { ID: this.#lease(), TTL: this.#ttl() } };
    if (dice < 0.94) return { kind: "revoke", request: { ID: this.#lease() } };
    if (dice < 0.98) return { kind: "timeToLive", request: { ID: this.#lease(), keys: this.#chance(0.7) } };
    return { kind: "keepAlive", request: { ID: this.#lease() } };
  }

  int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)] as T;
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  key(): Buffer {
    return Buffer.from(this.#chance(0.02) ? "" : this.pick(KEYS), "latin1");
  }

  end(): Buffer {
    return Buffer.from(this.pick(ENDS), "latin1");
  }

  #value(): Buffer {
    return Buffer.from(this.pick(["", "1", "2", "10", "ü", "x".repeat(200)]), "latin1");
  }

  #lease(): bigint {
    return BigInt(this.int(5));
  }

  /** Long enough that no lease runs out at a time of its own. */
  #ttl(): bigint {
    return this.pick([1000n, 2000n, 9_000_000_001n].slice(0, this.#chance(0.1) ? 3 : 2));
  }

  #revision(current: number): bigint {
    return this.#chance(0.6) ? 0n : BigInt(current + 3 - this.int(Math.min(25, current + 5)));
  }

  #compact(revision: number): { revision: bigint; physical: boolean } {
    // etcd remembers the checksum of a compaction from its end on, so that end is waited for.
    return { revision: BigInt(revision + 1 - this.int(15)), physical: true };
  }

  #range(revision: number): MessageInitShape<typeof RangeRequestSchema> {
    const bound = (): bigint => (this.#chance(0.15) ? BigInt(Math.max(0, revision - this.int(20))) : 0n);
    return {
      key: this.key(),
      rangeEnd: this.end(),
      limit: this.#chance(0.4) ? BigInt(this.int(5)) : 0n,
      revision: this.#revision(revision),
      sortOrder: (this.#chance(0.4) ? this.int(3) : 0) as RangeRequest_SortOrder,
      sortTarget: (this.#chance(0.4) ? this.int(5) : 0) as RangeRequest_SortTarget,
      serializable: this.#chance(0.2),
      keysOnly: this.#chance(0.2),
      countOnly: this.#chance(0.15),
      minModRevision: bound(),
      maxModRevision: bound(),
      minCreateRevision: bound(),
      maxCreateRevision: bound(),
    };
  }

  #put(): MessageInitShape<typeof PutRequestSchema> {
    const ignoreValue = this.#chance(0.08);
    const ignoreLease = this.#chance(0.08);
    return {
      key: this.key(),
      value: ignoreValue && this.#chance(0.8) ? Buffer.alloc(0) : this.#value(),
      lease: this.#chance(ignoreLease ? 0.1 : 0.25) ? this.#lease() : 0n,
      prevKv: this.#chance(0.3),
      ignoreValue,
      ignoreLease,
    };
  }

  #delete(): MessageInitShape<typeof DeleteRangeRequestSchema> {
    return { key: this.key(), rangeEnd: this.end(), prevKv: this.#chance(0.4) };
  }

  #txn(revision: number, depth: number): MessageInitShape<typeof TxnRequestSchema> {
    const ops = (): MessageInitShape<typeof RequestOpSchema>[] =>
      Array.from({ length: this.int(4) }, () => this.#op(revision, depth));
    const compare = Array.from({ length: this.int(3) }, () => this.#compare(revision));
    return { compare, success: ops(), failure: ops() };
  }

  #op(revision: number, depth: number): MessageInitShape<typeof RequestOpSchema> {
    const dice = this.#random();
    if (dice < 0.4) return { request: { case: "requestPut", value: this.#put() } };
    if (dice < 0.65) return { request: { case: "requestRange", value: this.#range(revision) } };
    if (dice < 0.8) return { request: { case: "requestDeleteRange", value: this.#delete() } };
    if (dice < 0.81) return {};
    if (depth === 0) return { request: { case: "requestPut", value: this.#put() } };
    return { request: { case: "requestTxn", value: this.#txn(revision, depth - 1) } };
  }

  #compare(revision: number): MessageInitShape<typeof CompareSchema> {
    const near = BigInt(Math.max(0, revision - this.int(12)));
    const target = this.int(5) as Compare_CompareTarget;
    const operands = [
      { case: "version", value: BigInt(this.int(4)) },
      { case: "createRevision", value: this.pick([0n, near]) },
      { case: "modRevision", value: this.pick([0n, near]) },
      { case: "value", value: this.#value() },
      { case: "lease", value: this.#lease() },
    ] as const;
    return {
      key: this.key(),
      rangeEnd: this.#chance(0.3) ? this.end() : Buffer.alloc(0),
      result: this.int(4) as Compare_CompareResult,
      target,
      targetUnion: this.#chance(0.03) ? this.pick(operands) : (operands[target] ?? operands[0]),
    };
  }
}
