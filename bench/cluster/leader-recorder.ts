// The way to the store of a leader, that looks at what passes by: when units come, when their orders are written.
import { machineAndUnit, nameIn, prefixes } from "../../packages/keelson/src/model/keys.ts";
import type {
  CallOptions,
  RangeAnswer,
  RangeRequest,
  StoreClient,
  Txn,
  TxnAnswer,
  WatchBatch,
  WatchRequest,
} from "../../packages/keelson/src/registry/store-client.ts";
import type { LeaderFigures } from "./messages.ts";

interface Loss {
  readonly seenAt: number;
  decidedAt: number | undefined;
  orderedAt: number | undefined;
  moved: number;
}

export class LeaderRecorder implements StoreClient {
  readonly #client: StoreClient;
  readonly #seen = new Map<string, number>();
  readonly #losses = new Map<string, Loss>();
  #passes: number[] = [];
  #decisions: number[] = [];
  #orders = 0;
  #transactions = 0;

  constructor(client: StoreClient) {
    this.#client = client;
  }

  notePass(ms: number): void {
    this.#passes.push(ms);
  }

  reset(): void {
    this.#passes = [];
    this.#decisions = [];
    this.#losses.clear();
    this.#orders = 0;
    this.#transactions = 0;
  }

  figures(isLeading: boolean): LeaderFigures {
    return {
      isLeading,
      passes: this.#passes,
      decisions: this.#decisions,
      ordersWritten: this.#orders,
      transactions: this.#transactions,
      losses: [...this.#losses].map(([machine, { seenAt, decidedAt = 0, orderedAt = 0, moved }]) => ({
        machine,
        moved,
        sinceSeen: orderedAt - seenAt,
        sinceDecided: orderedAt - decidedAt,
      })),
    };
  }

  range(request: RangeRequest, options?: CallOptions): Promise<RangeAnswer> {
    return this.#client.range(request, options);
  }

  getAll(keys: readonly string[], options?: CallOptions): Promise<RangeAnswer> {
    return this.#client.getAll(keys, options);
  }

  async txn(txn: Txn, options?: CallOptions): Promise<TxnAnswer> {
    const sentAt = performance.now();
    const answer = await this.#client.txn(txn, options);
    this.#transactions += 1;
    if (answer.succeeded) this.#noteOrders(txn, sentAt);
    return answer;
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchBatch, void, void> {
    for await (const batch of this.#client.watch(request, signal)) {
      this.#noteEvents(batch);
      yield batch;
    }
  }

  grantLease(seconds: number, options?: CallOptions): Promise<bigint> {
    return this.#client.grantLease(seconds, options);
  }

  renewLease(lease: bigint, options?: CallOptions): Promise<void> {
    return this.#client.renewLease(lease, options);
  }

  revokeLease(lease: bigint, options?: CallOptions): Promise<void> {
    return this.#client.revokeLease(lease, options);
  }

  #noteEvents({ events }: WatchBatch): void {
    const now = performance.now();
    for (const { type, key } of events) {
      const unit = nameIn(prefixes.units, key);
      if (unit !== undefined && type === "put") this.#seen.set(unit, now);
      const machine = nameIn(prefixes.machines, key);
      if (machine === undefined || type === "put" || this.#losses.has(machine)) continue;
      this.#losses.set(machine, { seenAt: now, decidedAt: undefined, orderedAt: undefined, moved: 0 });
    }
  }

  #noteOrders({ write }: Txn, sentAt: number): void {
    const now = performance.now();
    for (const one of write) {
      const place = machineAndUnit(prefixes.schedule, "put" in one ? one.put : one.delete);
      if (place === undefined) continue;
      this.#orders += 1;
      if ("put" in one) {
        const seen = this.#seen.get(place.unit);
        if (seen !== undefined) this.#decisions.push(now - seen);
        this.#seen.delete(place.unit);
        continue;
      }
      const loss = this.#losses.get(place.machine);
      if (loss === undefined) continue;
      loss.decidedAt ??= sentAt;
      loss.orderedAt = now;
      loss.moved += 1;
    }
  }
}
