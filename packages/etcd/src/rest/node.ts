// Nodes and events as answers show them. The order of the fields is etcd's.
import type { StoredKey } from "./keys-store.ts";
import { toText } from "./paths.ts";

export type Action =
  | "get"
  | "set"
  | "create"
  | "update"
  | "compareAndSwap"
  | "compareAndDelete"
  | "delete"
  | "expire";

/** When a node with a time to live ends. */
export interface Expiration {
  /** RFC 3339. */
  readonly expiration: string;
  /** Seconds, rounded up; 0 when it is over. */
  readonly ttl: number;
}

export interface KeysNode {
  /** A byte string; "" for the root. */
  readonly path: string;
  readonly dir: boolean;
  /** Undefined for a directory, and for a file that is no more. */
  readonly value: Uint8Array | undefined;
  readonly expires: Expiration | undefined;
  readonly nodes?: readonly KeysNode[];
  /** 0 for a directory that only keys below it imply. */
  readonly modifiedIndex: number;
  readonly createdIndex: number;
}

export interface KeysEvent {
  readonly action: Action;
  readonly node: KeysNode;
  readonly prevNode: KeysNode | undefined;
}

/** The node of a file's key. */
export function fileNode(path: string, kv: StoredKey, expires: Expiration | undefined): KeysNode {
  const { value, modRevision, createRevision } = kv;
  return { path, dir: false, value, expires, modifiedIndex: modRevision, createdIndex: createRevision };
}

/** The node of a directory; what changes below it, or its TTL, does not modify it. */
export function directoryNode(
  path: string,
  marker: StoredKey | undefined,
  expires: Expiration | undefined,
): KeysNode {
  const index = marker?.createRevision ?? 0;
  return { path, dir: true, value: undefined, expires, modifiedIndex: index, createdIndex: index };
}

export function expirationAt(wallMs: number, now: number): Expiration {
  return { expiration: new Date(wallMs).toISOString(), ttl: Math.max(0, Math.ceil((wallMs - now) / 1000)) };
}

/** An event as JSON has it. */
export function eventJson(event: KeysEvent): object {
  const prevNode = event.prevNode === undefined ? {} : { prevNode: nodeJson(event.prevNode) };
  return { action: event.action, node: nodeJson(event.node), ...prevNode };
}

function nodeJson(node: KeysNode): object {
  const { path, dir, value, expires, nodes = [], modifiedIndex, createdIndex } = node;
  return {
    ...(path === "" ? {} : { key: toText(path) }),
    ...(value === undefined ? {} : { value: Buffer.from(value).toString("utf8") }),
    ...(dir ? { dir } : {}),
    ...(expires === undefined ? {} : { expiration: expires.expiration }),
    ...(expires === undefined || expires.ttl === 0 ? {} : { ttl: expires.ttl }),
    ...(nodes.length === 0 ? {} : { nodes: nodes.map(nodeJson) }),
    ...(modifiedIndex === 0 ? {} : { modifiedIndex }),
    ...(createdIndex === 0 ? {} : { createdIndex }),
  };
}
