// All that a store holds, read within this process, a page at a time: what else the process does goes on meanwhile.
import { setImmediate as pause } from "node:timers/promises";
import type { KeysStore } from "@keelson/etcd/rest";
import { EtcdServer } from "@keelson/etcd/server";

export type StoredKey = Awaited<ReturnType<KeysStore["read"]>>["results"][number][number];

const pageSize = 1000;
/** Keys are made of bytes, and this is above them. */
const aboveAll = "\u{100}";

export async function revisionOf(store: KeysStore): Promise<number> {
  return (await store.read([{ key: "", end: "\0" }])).revision;
}

/** All keys in their order, as of a revision; one character of a key is one byte. */
export async function* contentsOf(store: KeysStore, revision: number): AsyncGenerator<StoredKey> {
  for (let key = ""; ;) {
    const { results } = await store.read([{ key, end: aboveAll, limit: pageSize }], revision);
    const page = results[0] ?? [];
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    key = `${last.key}\0`;
    await pause();
  }
}

/** A store that is open for this process alone: it listens nowhere. */
export function openAlone(dataDir: string): Promise<EtcdServer> {
  return EtcdServer.start({ dataDir, listen: [] });
}
