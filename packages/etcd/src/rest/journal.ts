// What a write of the API was: etcd's history knows puts and deletions, and the API's watchers want to know a
// `set` from a `create` and a deletion from an expiry. Each write records itself under one key in its own
// transaction, so the record belongs to the write's revision for as long as that can be read.
import type { Action, Expiration } from "./node.ts";

export interface JournalEntry {
  readonly action: Action;
  /** Below the root; a byte string. */
  readonly path: string;
  readonly dir: boolean;
  /** Watchers are not told. */
  readonly refresh: boolean;
  /** Of a node with a time to live of its own. */
  readonly expires: Expiration | undefined;
}

const ACTIONS: ReadonlySet<string> = new Set([
  "set",
  "create",
  "update",
  "compareAndSwap",
  "compareAndDelete",
  "delete",
]);

export function writeEntry({ action, path, dir, refresh, expires }: JournalEntry): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      action,
      path,
      ...(dir ? { dir } : {}),
      ...(refresh ? { refresh } : {}),
      ...expires,
    }),
  );
}

/** Undefined for what no write of the API recorded: any client can write the key. */
export function readEntry(bytes: Uint8Array): JournalEntry | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { action, path, dir, refresh, expiration, ttl } = json as Readonly<Record<string, unknown>>;
  if (typeof action !== "string" || !ACTIONS.has(action) || typeof path !== "string") return undefined;
  const expires = typeof expiration === "string" && typeof ttl === "number" ? { expiration, ttl } : undefined;
  return { action: action as Action, path, dir: dir === true, refresh: refresh === true, expires };
}
