// What a restore leaves as it is. Machines, what they were ordered to run and what they report are facts of now:
// taken from the backup they would start what runs elsewhere by now. So they are carried over into the restored
// store, with their leases; nobody leads in it until somebody is elected anew.
import type { KeysStore } from "@keelson/etcd/rest";
import { keys, prefixes } from "../model/keys.ts";
import type { StoredKey } from "./store-contents.ts";

const carried = [
  prefixes.machines,
  prefixes.members,
  prefixes.schedule,
  prefixes.status,
  prefixes.cluster,
  prefixes.store,
];

/** Whether a key is restored; others stay as they are, or are made anew. */
export function isRestored(key: string): boolean {
  return ![...carried, prefixes.leader].some((prefix) => key.startsWith(prefix));
}

type Write = Parameters<KeysStore["write"]>[0]["write"][number];

/** In one transaction. */
const mostWrites = 100;
const mostBytes = 1 << 20;

/** Makes the facts of now those of the restored store, which is open for this process alone. */
export async function carryOver(now: KeysStore, restored: KeysStore): Promise<void> {
  const kept = await below(now, carried);
  const outdated = await below(restored, [...carried, prefixes.leader]);
  const leases = leasesOf(kept);
  for (const lease of new Set([...leasesOf(outdated), ...leases])) await revoke(restored, lease);
  for (const lease of leases) {
    const term = await now.lease(lease);
    if (term !== undefined) await restored.grant(lease, term.grantedSeconds);
  }
  const deletes = outdated.map(({ key }): Write => ({ delete: { key } }));
  await writeAll(restored, deletes);
  const puts = [...(await orderedBodies(kept, now)), ...kept];
  await writeAll(
    restored,
    puts.map(({ key, value, lease }): Write => ({ put: key, value, lease })),
  );
}

async function below(store: KeysStore, folders: readonly string[]): Promise<readonly StoredKey[]> {
  const { results } = await store.read(folders.map((key) => ({ key, end: prefixEnd(key) })));
  return results.flat();
}

/** The first key behind a folder's. */
function prefixEnd(folder: string): string {
  return `${folder.slice(0, -1)}0`;
}

function leasesOf(stored: readonly StoredKey[]): ReadonlySet<bigint> {
  return new Set(stored.map(({ lease }) => lease).filter((lease) => lease !== 0n));
}

async function revoke(store: KeysStore, lease: bigint): Promise<void> {
  if ((await store.lease(lease)) !== undefined) await store.revoke(lease);
}

/** The unit files by which machines run what they run; each is the same in every store. */
async function orderedBodies(kept: readonly StoredKey[], store: KeysStore): Promise<readonly StoredKey[]> {
  const orders = kept.filter(({ key }) => key.startsWith(prefixes.schedule));
  const hashes = new Set(orders.map(({ value }) => hashIn(value)));
  const { results } = await store.read([...hashes].map((hash) => ({ key: keys.body(hash) })));
  return results.flat();
}

function hashIn(order: Uint8Array): string {
  try {
    return String((JSON.parse(Buffer.from(order).toString()) as { readonly hash?: unknown }).hash);
  } catch {
    return "";
  }
}

async function writeAll(store: KeysStore, writes: readonly Write[]): Promise<void> {
  let some: Write[] = [];
  let bytes = 0;
  for (const write of writes) {
    const size = "put" in write ? write.value.length : 0;
    if (some.length >= mostWrites || (some.length > 0 && bytes + size > mostBytes)) {
      await store.write({ when: [], write: some });
      some = [];
      bytes = 0;
    }
    some.push(write);
    bytes += size;
  }
  if (some.length > 0) await store.write({ when: [], write: some });
}
