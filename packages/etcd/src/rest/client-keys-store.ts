// The keys API in front of any cluster: over an EtcdClient.
import type { EtcdClient } from "../client/etcd-client.ts";
import type { KeySelector, KeyValue } from "../client/key-value.ts";
import { compare, op, type Compare, type Op } from "../client/transaction.ts";
import type {
  ChangeBatch,
  Condition,
  KeyChange,
  KeysStore,
  KeysTransaction,
  KeysWrite,
  LeaseTerm,
  LimitedSpan,
  Span,
  StoredKey,
} from "./keys-store.ts";
import { toBytes, toText } from "./paths.ts";

export class ClientKeysStore implements KeysStore {
  /** The client does not tell them, and nobody needs them to read an answer. */
  readonly identity = {};
  readonly #client: EtcdClient;

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  async read(
    spans: readonly LimitedSpan[],
    revision?: number,
  ): Promise<{ readonly revision: number; readonly results: readonly (readonly StoredKey[])[] }> {
    if (spans.length === 1 || revision !== undefined) {
      const answers = [];
      for (const span of spans)
        answers.push(await this.#client.range(selector(span), { limit: span.limit, revision }));
      const results = answers.map(({ kvs }) => kvs.map(toStored));
      return { revision: answers[0]?.revision ?? 0, results };
    }
    const success = spans.map((span) => op.get(selector(span), { limit: span.limit }));
    const answer = await this.#client.txn({ compare: [], success }, { idempotent: true });
    const results = answer.responses.map((one) => (one.type === "get" ? one.kvs.map(toStored) : []));
    return { revision: answer.revision, results };
  }

  async write({
    when,
    write,
  }: KeysTransaction): Promise<{ readonly succeeded: boolean; readonly revision: number }> {
    return this.#client.txn({ compare: when.map(toCompare), success: write.map(toOp) });
  }

  async *watch(span: Span, from: number, signal: AbortSignal): AsyncGenerator<ChangeBatch, void, void> {
    const batches = this.#client.watch(selector(span), {
      startRevision: from,
      prevKv: true,
      progressNotify: true,
      signal,
    });
    for await (const { revision, events } of batches) {
      const changes = events.map(({ type, kv, previous }): KeyChange => {
        const before = previous && toStored(previous);
        if (type === "put") return { type, kv: toStored(kv), previous: before };
        return { type, key: toBytes(kv.key), revision: kv.modRevision, previous: before };
      });
      yield { revision, changes };
    }
  }

  /** A real etcd raises a time that is shorter than its least. */
  async grant(lease: bigint, seconds: number): Promise<void> {
    await this.#client.grantLease(Math.max(1, seconds), lease);
  }

  async renew(lease: bigint): Promise<void> {
    await this.#client.keepAliveOnce(lease);
  }

  async revoke(lease: bigint): Promise<void> {
    await this.#client.revokeLease(lease, { idempotent: true });
  }

  async lease(lease: bigint): Promise<LeaseTerm | undefined> {
    const term = await this.#client.leaseTimeToLive(lease);
    return term && { grantedSeconds: term.grantedTtlSeconds, remainingMs: term.ttlSeconds * 1000 };
  }
}

function selector({ key, end }: Span): KeySelector {
  return end === undefined ? { key: toText(key) } : { from: toText(key), to: toText(end) };
}

function toStored({ key, value, createRevision, modRevision, lease }: KeyValue): StoredKey {
  return { key: toBytes(key), value, createRevision, modRevision, lease };
}

function toCompare(condition: Condition): Compare {
  if ("absent" in condition) return compare.absent(selector(condition.absent));
  const key = toText(condition.key);
  return "modRevision" in condition
    ? compare.modRevision(key, "=", condition.modRevision)
    : compare.createRevision(key, "=", condition.createRevision);
}

function toOp(write: KeysWrite): Op {
  if ("put" in write) return op.put(toText(write.put), write.value, { lease: write.lease });
  return op.delete(selector(write.delete));
}
