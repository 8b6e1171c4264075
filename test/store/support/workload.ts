// Clients that read and write a few keys all the time, and write down what they saw.
import { compare, EtcdClient, EtcdError, op } from "../../../packages/etcd/src/client/index.ts";
import type { LogEntry, Operation } from "./linearizable.ts";

export interface Workload {
  readonly endpoints: readonly string[];
  readonly clients: number;
  readonly keys: readonly string[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Runs until the signal fires; the history in the order in which the calls ended. */
export async function run(workload: Workload): Promise<readonly Operation[]> {
  const history: Operation[] = [];
  const clients = Array.from({ length: workload.clients }, (_, client) =>
    runClient(workload, client, history),
  );
  await Promise.all(clients);
  return history;
}

async function runClient(workload: Workload, client: number, history: Operation[]): Promise<void> {
  const { endpoints, keys, random, signal } = workload;
  // Each client begins with another member.
  const order = endpoints.map((_, place) => endpoints[(place + client) % endpoints.length] ?? "");
  await using etcd = new EtcdClient({ endpoints: order, deadlineMs: 1500, retry: { attempts: 1 } });
  /** What the client saw last, by key: what it tries to swap. */
  const seen = new Map<string, string>();
  for (let count = 0; !signal.aborted; count++) {
    const key = keys[Math.floor(random() * keys.length)] ?? "";
    const chance = random();
    const value = `${client}.${count}`;
    const called = performance.now();
    const base = { client, key, called };
    const failed = { ...base, answered: undefined, revision: undefined };
    const answer = { answered: 0, revision: 0 };
    const took = (revision: number): typeof answer => ({ answered: performance.now(), revision });
    const expected = seen.get(key);
    try {
      if (chance < 0.35) {
        const { kvs, revision } = await etcd.range({ key });
        const found = kvs[0] === undefined ? undefined : textOf(kvs[0].value);
        if (found !== undefined) seen.set(key, found);
        history.push({ ...base, ...took(revision), kind: "get", found });
      } else if (chance < 0.65 || expected === undefined) {
        const { revision } = await etcd.put(key, value).catch((error: unknown) => {
          history.push({ ...failed, kind: "put", value });
          throw error;
        });
        history.push({ ...base, ...took(revision), kind: "put", value });
        seen.set(key, value);
      } else if (chance < 0.92) {
        const { succeeded, revision, responses } = await etcd
          .txn({
            compare: [compare.value(key, "=", expected)],
            success: [op.put(key, value)],
            failure: [op.get({ key })],
          })
          .catch((error: unknown) => {
            history.push({
              ...failed,
              kind: "swap",
              expected,
              value,
              succeeded: undefined,
              found: undefined,
            });
            throw error;
          });
        const [first] = responses;
        const kv = first?.type === "get" ? first.kvs[0] : undefined;
        const found = kv === undefined ? undefined : textOf(kv.value);
        history.push({ ...base, ...took(revision), kind: "swap", expected, value, succeeded, found });
        if (succeeded) seen.set(key, value);
        else if (found !== undefined) seen.set(key, found);
      } else {
        const { deleted, revision } = await etcd.delete({ key }).catch((error: unknown) => {
          history.push({ ...failed, kind: "delete", deleted: undefined });
          throw error;
        });
        history.push({ ...base, ...took(revision), kind: "delete", deleted });
      }
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20 + random() * 100));
    }
  }
}

/** All changes from the first revision to now, as a watch tells them. */
export async function wholeLog(endpoints: readonly string[]): Promise<readonly LogEntry[]> {
  await using etcd = new EtcdClient({ endpoints, deadlineMs: 30_000 });
  const { revision } = await etcd.put("the end", "of the history");
  const log: LogEntry[] = [];
  const over = new AbortController();
  for await (const batch of etcd.watch({ prefix: "" }, { startRevision: 1, signal: over.signal })) {
    for (const { type, kv } of batch.events) {
      if (kv.modRevision === revision) continue;
      log.push({
        revision: kv.modRevision,
        key: kv.key,
        value: type === "put" ? textOf(kv.value) : undefined,
      });
    }
    if (batch.revision >= revision) over.abort();
  }
  return log;
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value).toString();
}
