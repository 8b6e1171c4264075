// All that a store holds, read and written within this process.
import type { KeysStore } from "@keelson/etcd/rest";
import { EtcdServer } from "@keelson/etcd/server";

export type StoredKey = Awaited<ReturnType<KeysStore["read"]>>["results"][number][number];

export interface StoreContents {
  readonly revision: number;
  /** By their keys, whose characters are bytes. */
  readonly keys: ReadonlyMap<string, StoredKey>;
}

/** Keys are made of bytes, and this is above them. */
const aboveAll = "\u{100}";

export async function contentsOf(store: KeysStore): Promise<StoreContents> {
  const { revision, results } = await store.read([{ key: "", end: aboveAll }]);
  return { revision, keys: new Map(results[0]?.map((stored) => [stored.key, stored])) };
}

/** A store that is open for this process alone: it listens nowhere. */
export function openAlone(dataDir: string): Promise<EtcdServer> {
  return EtcdServer.start({ dataDir, listen: [] });
}
