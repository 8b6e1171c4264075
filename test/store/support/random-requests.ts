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
import { revivesKeys } from "./revival.ts";

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

/** How often each kind is asked for, relative to the others. */
type Mix = Readonly<Record<Exclude<Request["kind"], "leases">, number>>;

const USUAL: Mix = {
  put: 30,
  range: 12,
  delete: 8,
  txn: 34,
  hash: 2,
  compact: 2,
  grant: 4,
  revoke: 2,
  timeToLive: 4,
  keepAlive: 2,
};
/** Compactions, wrong ones too, and checksums of revisions near them. */
const SUMS: Mix = { ...USUAL, range: 6, txn: 16, hash: 20, compact: 8 };
const MIXES = { usual: USUAL, sums: SUMS } as const;
export type MixName = keyof typeof MIXES;

/** Up to twelve keys Go sorts so that equal ones stay in their order; eleven leave room for a test's own. */
const KEYS = ["a", "b", "c", "aa", "ab", "b/1", "b/2", "b/3", "ÿ", "c\0", "d/x"];
const ENDS = ["", "", "", "b", "c", "b0", "b/4", "e", "\0", "a", "aaa"];
/** Revisions of compactions that are asked about later; etcd remembers the sums of ten. */
const MOST_COMPACTED = 15;

export class RandomRequests {
  readonly #random: () => number;
  readonly #compacted: bigint[] = [];
  #mix: Mix = USUAL;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Requests from now on are mixed so. */
  mix(name: MixName): void {
    this.#mix = MIXES[name];
  }

  /** `revision` is the store's, to ask for others near it. */
  next(revision: number): Request {
    const kind = this.#kind();
    switch (kind) {
      case "put":
        return { kind, request: this.#put() };
      case "range":
        return { kind, request: this.#range(revision) };
      case "delete":
        return { kind, request: this.#delete() };
      case "txn":
        return { kind, request: this.#txn(revision) };
      case "hash":
        return { kind, request: { revision: this.#summed(revision) } };
      case "compact":
        return { kind, request: this.#compact(revision) };
      case "grant":
        return { kind, request: { ID: this.#lease(), TTL: this.#ttl() } };
      case "revoke":
        return { kind, request: { ID: this.#lease() } };
      case "timeToLive":
        return { kind, request: { ID: this.#lease(), keys: this.#chance(0.7) } };
      case "keepAlive":
        return { kind, request: { ID: this.#lease() } };
    }
  }

  #kind(): keyof Mix {
    const kinds = Object.keys(this.#mix) as (keyof Mix)[];
    let dice = this.int(kinds.reduce((sum, kind) => sum + this.#mix[kind], 0));
    return kinds.find((kind) => (dice -= this.#mix[kind]) < 0) ?? "put";
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
    const to = BigInt(revision + 1 - this.int(15));
    this.#compacted.push(to);
    if (this.#compacted.length > MOST_COMPACTED) this.#compacted.shift();
    return { revision: to, physical: true };
  }

  #summed(revision: number): bigint {
    if (this.#mix !== SUMS || this.#compacted.length === 0) return this.#revision(revision);
    const near = BigInt(revision + 2 - this.int(Math.min(15, revision + 5)));
    return this.#chance(0.1) ? 0n : this.#chance(0.4) ? this.pick(this.#compacted) : near;
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

  #txn(revision: number): MessageInitShape<typeof TxnRequestSchema> {
    for (;;) {
      const txn = this.#anyTxn(revision, 2);
      if (!revivesKeys(txn)) return txn;
    }
  }

  #anyTxn(revision: number, depth: number): MessageInitShape<typeof TxnRequestSchema> {
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
    return { request: { case: "requestTxn", value: this.#anyTxn(revision, depth - 1) } };
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
