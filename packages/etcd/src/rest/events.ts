// Changes of keys as events of the API. A revision that the API wrote is one event, and its journal entry says
// which; any other revision was written by a client of v3, or is the end of a lease.
import type { JournalEntry } from "./journal.ts";
import { readEntry } from "./journal.ts";
import type { KeyChange, StoredKey } from "./keys-store.ts";
import {
  directoryNode,
  fileNode,
  type Action,
  type Expiration,
  type KeysEvent,
  type KeysNode,
} from "./node.ts";
import { isPath, journalKey, markerKey } from "./paths.ts";

export interface ToldEvent {
  readonly index: number;
  readonly event: KeysEvent;
  /** Watchers are not told. */
  readonly isRefresh: boolean;
  /** What went with a directory: paths of nodes that were below it. */
  readonly gone: readonly string[];
}

/** What a translation may ask about the past. */
export interface Past {
  /** The journal as of a revision, if the API wrote that one and it can be read. */
  entryAt(revision: number): Promise<JournalEntry | undefined>;
  leaseExists(lease: bigint): Promise<boolean>;
  /** Milliseconds since 1970. */
  wall(): number;
}

/** The events of one revision. */
export async function eventsOf(
  changes: readonly KeyChange[],
  root: string,
  past: Past,
): Promise<readonly ToldEvent[]> {
  const record = changes.find((change) => keyOf(change) === journalKey(root));
  const entry = record?.type === "put" ? readEntry(record.kv.value) : undefined;
  const told = entry === undefined ? undefined : await ofEntry(entry, changes, { root, past });
  return told === undefined ? ofOthers(changes, root, past) : [told];
}

async function ofEntry(
  entry: JournalEntry,
  changes: readonly KeyChange[],
  { root, past }: { readonly root: string; readonly past: Past },
): Promise<ToldEvent | undefined> {
  const { action, path, dir, expires } = entry;
  const file = changes.find((change) => keyOf(change) === root + path);
  const marker = changes.find((change) => keyOf(change) === markerKey(root + path));
  const change = dir ? marker : file;
  const index = indexOf(changes);
  if (action === "delete" || action === "compareAndDelete") {
    if (!dir && change?.type !== "delete") return undefined;
    const before = change?.previous;
    const node = deletedNode(path, { dir, index, createdIndex: before?.createRevision ?? 0 });
    const prevNode =
      before === undefined && !dir ? undefined : await previousNode(path, { dir, kv: before }, past);
    return { index, event: { action, node, prevNode }, isRefresh: false, gone: gone(path, changes, root) };
  }
  if (change?.type !== "put") return undefined;
  const { kv } = change;
  const node: KeysNode = dir
    ? { ...directoryNode(path, kv, expires), modifiedIndex: index }
    : fileNode(path, kv, expires);
  const before =
    file?.previous !== undefined
      ? await previousNode(path, { dir: false, kv: file.previous }, past)
      : dir && (action === "update" || change.previous !== undefined)
        ? await previousNode(path, { dir, kv: change.previous }, past)
        : undefined;
  return { index, event: { action, node, prevNode: before }, isRefresh: entry.refresh, gone: [] };
}

/** Each file that was written or deleted is an event; of a directory that went, only the directory. */
async function ofOthers(
  changes: readonly KeyChange[],
  root: string,
  past: Past,
): Promise<readonly ToldEvent[]> {
  const ours = changes.filter(
    (change) => keyOf(change).startsWith(`${root}/`) && isPath(pathOf(change, root)),
  );
  const removed = ours.filter(({ type }) => type === "delete").map((change) => pathOf(change, root));
  const directories = removed.filter((path) => path.endsWith("/"));
  const removal = (await isEndOfLease(changes, past)) ? "expire" : "delete";
  const told: ToldEvent[] = [];
  for (const change of ours) {
    const own = pathOf(change, root);
    const dir = own.endsWith("/");
    const path = dir ? own.slice(0, -1) : own;
    const index = indexOf([change]);
    if (change.type === "put") {
      const node = dir ? directoryNode(path, change.kv, undefined) : fileNode(path, change.kv, undefined);
      const prevNode = change.previous && (await previousNode(path, { dir, kv: change.previous }, past));
      told.push({ index, event: { action: "set", node, prevNode }, isRefresh: false, gone: [] });
    } else if (!directories.some((directory) => own !== directory && own.startsWith(directory))) {
      const createdIndex = change.previous?.createRevision ?? 0;
      const node = deletedNode(path, { dir, index, createdIndex });
      const prevNode = change.previous && (await previousNode(path, { dir, kv: change.previous }, past));
      const event = { action: removal as Action, node, prevNode };
      told.push({ index, event, isRefresh: false, gone: dir ? gone(path, changes, root) : [] });
    }
  }
  return told;
}

/** The end of a lease deletes its keys and nothing else; afterwards there is no such lease. */
async function isEndOfLease(changes: readonly KeyChange[], past: Past): Promise<boolean> {
  const lease = changes[0]?.previous?.lease ?? 0n;
  const isOne = changes.every(({ type, previous }) => type === "delete" && previous?.lease === lease);
  return lease !== 0n && isOne && !(await past.leaseExists(lease));
}

async function previousNode(
  path: string,
  { dir, kv }: { readonly dir: boolean; readonly kv: StoredKey | undefined },
  past: Past,
): Promise<KeysNode> {
  const expires = kv === undefined || kv.lease === 0n ? undefined : await expiration(path, kv, past);
  return dir || kv === undefined ? directoryNode(path, kv, expires) : fileNode(path, kv, expires);
}

/** What the write of the key said about its end; nothing for one that hangs on its directory's lease. */
async function expiration(path: string, kv: StoredKey, past: Past): Promise<Expiration | undefined> {
  const entry = await past.entryAt(kv.modRevision);
  if (entry?.path !== path || entry.expires === undefined) return undefined;
  const { expiration: at } = entry.expires;
  const left = Date.parse(at) - past.wall();
  return { expiration: at, ttl: Number.isFinite(left) ? Math.max(0, Math.ceil(left / 1000)) : 0 };
}

function deletedNode(
  path: string,
  is: { readonly dir: boolean; readonly index: number; readonly createdIndex: number },
): KeysNode {
  const { dir, index, createdIndex } = is;
  return { path, dir, value: undefined, expires: undefined, modifiedIndex: index, createdIndex };
}

/** Nodes below a directory that were deleted, with the directories between. */
function gone(path: string, changes: readonly KeyChange[], root: string): readonly string[] {
  const paths = new Set<string>();
  for (const change of changes) {
    const own = pathOf(change, root);
    if (change.type !== "delete" || !own.startsWith(`${path}/`)) continue;
    for (let end = own.indexOf("/", path.length + 1); end > 0; end = own.indexOf("/", end + 1))
      paths.add(own.slice(0, end));
    if (!own.endsWith("/")) paths.add(own);
  }
  return [...paths];
}

export function keyOf(change: KeyChange): string {
  return change.type === "put" ? change.kv.key : change.key;
}

function pathOf(change: KeyChange, root: string): string {
  return keyOf(change).slice(root.length);
}

function indexOf(changes: readonly KeyChange[]): number {
  const [change] = changes;
  if (change === undefined) return 0;
  return change.type === "put" ? change.kv.modRevision : change.revision;
}

/** Changes by revision, in order. */
export function byRevision(changes: readonly KeyChange[]): readonly (readonly KeyChange[])[] {
  const groups = new Map<number, KeyChange[]>();
  for (const change of changes) {
    const index = indexOf([change]);
    const group = groups.get(index);
    if (group === undefined) groups.set(index, [change]);
    else group.push(change);
  }
  return [...groups.values()];
}

export interface Interest {
  readonly path: string;
  readonly recursive: boolean;
}

/** Whether a watcher hears of an event as it happens: as etcd, not of hidden nodes below what it watches. */
export function concerns({ path, recursive }: Interest, { event, gone: below }: ToldEvent): boolean {
  const at = event.node.path;
  if (at === path || below.includes(path)) return true;
  return recursive && at.startsWith(`${path}/`) && !at.slice(path.length).includes("/_");
}

/** Whether a watcher is told of an event of the past. etcd's history knows nothing of hidden nodes. */
export function concerned({ path, recursive }: Interest, { event }: ToldEvent): boolean {
  const at = event.node.path;
  if (at === path || (recursive && at.startsWith(`${path}/`))) return true;
  const isRemoval = event.action === "delete" || event.action === "expire";
  return isRemoval && event.node.dir && path.startsWith(`${at}/`);
}
