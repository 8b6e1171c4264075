// Reads files and directories out of flat keys.
import { EtcdError } from "../errors.ts";
import type { KeysStore, StoredKey } from "./keys-store.ts";
import { directoryNode, expirationAt, fileNode, type Expiration, type KeysNode } from "./node.ts";
import { ancestors, below, isPath, markerKey, nameOf } from "./paths.ts";
import { KeysRefusal } from "./refusal.ts";

/** Most nodes of one answer. */
const MOST_NODES = 100_000;
const PAGE = 512;

/** What stands at a path. A key that is both is a file. */
export interface Spot {
  readonly path: string;
  readonly file: StoredKey | undefined;
  readonly marker: StoredKey | undefined;
  /** Something lies below it. For a directory above the one asked for: it exists. */
  readonly populated: boolean;
}

/** A path with what stands at it and above it, at one revision. */
export interface Place {
  readonly revision: number;
  /** Topmost first; none for the root. */
  readonly above: readonly Spot[];
  readonly spot: Spot;
}

export const isDirectory = ({ file, marker, populated }: Spot): boolean =>
  file === undefined && (marker !== undefined || populated);

/** The lease that keys in the lowest of these directories hang on, unless they have a time to live of their own. */
export function inheritedLease(above: readonly Spot[]): bigint {
  return above.findLast(({ marker }) => marker !== undefined)?.marker?.lease ?? 0n;
}

export class Tree {
  readonly #store: KeysStore;
  readonly #root: string;
  /** Milliseconds since 1970. */
  readonly #wall: () => number;

  constructor(store: KeysStore, root: string, wall: () => number) {
    this.#store = store;
    this.#root = root;
    this.#wall = wall;
  }

  async locate(path: string): Promise<Place> {
    const paths = path === "" ? [""] : [...ancestors(path), path];
    const spans = paths.flatMap((one, place) => [
      { key: this.#root + one === "" ? "\0" : this.#root + one },
      { ...below(this.#root + one), limit: place === paths.length - 1 ? 2 : 1 },
    ]);
    const { revision, results } = await this.#store.read(spans);
    const spots = paths.map((one, place): Spot => {
      const [first, second] = results[2 * place + 1] ?? [];
      const isMarked = first?.key === markerKey(this.#root + one);
      const isLast = place === paths.length - 1;
      return {
        path: one,
        file: one === "" ? undefined : results[2 * place]?.[0],
        marker: isMarked && one !== "" ? first : undefined,
        populated: one === "" || (isMarked && isLast ? second !== undefined : first !== undefined),
      };
    });
    return { revision, above: spots.slice(0, -1), spot: spots.at(-1) as Spot };
  }

  /** Refuses when nothing stands at the path, or a file above it: keyNotFound, notDirectory. */
  existing({ revision, above, spot }: Place): Spot {
    for (const one of above) {
      if (one.file !== undefined) throw new KeysRefusal("notDirectory", text(one.path), revision);
      if (!isDirectory(one)) throw new KeysRefusal("keyNotFound", text(one.path), revision);
    }
    if (spot.file === undefined && !isDirectory(spot))
      throw new KeysRefusal("keyNotFound", text(spot.path), revision);
    return spot;
  }

  /** What stands at the path, without what is in it. */
  async node({ above, spot }: Pick<Place, "above" | "spot">): Promise<KeysNode> {
    const kv = spot.file ?? spot.marker;
    const expires = await this.#expires(kv?.lease ?? 0n, inheritedLease(above));
    return spot.file === undefined
      ? directoryNode(spot.path, spot.marker, expires)
      : fileNode(spot.path, spot.file, expires);
  }

  /** A node with its children, or with all below it. Hidden ones are left out. */
  async listing(place: Place, recursive: boolean): Promise<KeysNode> {
    const node = await this.node(place);
    if (!node.dir) return node;
    const { above, spot, revision } = place;
    const top = new Folder(spot.path, spot.marker, inheritedLease(spot.marker ? [...above, spot] : above));
    let count = 0;
    for await (const kv of this.#keys(spot.path, recursive, revision)) {
      if (top.add(kv, kv.key.slice(this.#root.length), recursive)) count++;
      if (count > MOST_NODES)
        throw new KeysRefusal("internal", `there are more than ${MOST_NODES} nodes`, revision);
    }
    return { ...node, nodes: await this.#nodes(top) };
  }

  /** Keys below a directory, in order. Those deeper than its children only once for each child, unless `deep`. */
  async *#keys(path: string, deep: boolean, revision: number): AsyncGenerator<StoredKey, void, void> {
    const { key: start, end } = below(this.#root + path);
    for (let key = start; key < end;) {
      const { results } = await this.#store.read([{ key, end, limit: PAGE }], revision);
      const page = results[0] ?? [];
      yield* page;
      const last = page.at(-1)?.key;
      if (last === undefined || page.length < PAGE) return;
      if (last < key) throw new EtcdError("BAD_RESPONSE", "the store answered keys out of order");
      const slash = last.indexOf("/", start.length);
      key = deep || slash < 0 ? `${last}\0` : `${last.slice(0, slash)}0`;
    }
  }

  async #nodes(folder: Folder): Promise<readonly KeysNode[]> {
    const nodes: KeysNode[] = [];
    for (const [path, child] of [...folder.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (child instanceof Folder) {
        const expires = await this.#expires(child.marker?.lease ?? 0n, folder.lease);
        nodes.push({ ...directoryNode(path, child.marker, expires), nodes: await this.#nodes(child) });
      } else nodes.push(fileNode(path, child, await this.#expires(child.lease, folder.lease)));
    }
    return nodes;
  }

  /** When a node ends by itself; one that hangs on its directory's lease ends with that. */
  async #expires(lease: bigint, inherited: bigint): Promise<Expiration | undefined> {
    if (lease === 0n || lease === inherited) return undefined;
    const term = await this.#store.lease(lease);
    const now = this.#wall();
    return term === undefined ? undefined : expirationAt(now + term.remainingMs, now);
  }
}

/** A directory while it is read. */
class Folder {
  readonly path: string;
  marker: StoredKey | undefined;
  /** What keys in it hang on. */
  lease: bigint;
  readonly children = new Map<string, Folder | StoredKey>();

  constructor(path: string, marker: StoredKey | undefined, lease: bigint) {
    this.path = path;
    this.marker = marker;
    this.lease = lease;
  }

  /** Takes up a key below; false if it shows nothing new. `path` ends with a slash if the key marks a directory. */
  add(kv: StoredKey, path: string, deep: boolean): boolean {
    if (!isPath(path)) return false;
    const isMarker = path.endsWith("/");
    const own = isMarker ? path.slice(0, -1) : path;
    if (own === this.path) return false;
    const slash = own.indexOf("/", this.path.length + 1);
    const childPath = slash < 0 ? own : own.slice(0, slash);
    if (nameOf(childPath).startsWith("_")) return false;
    const child = this.children.get(childPath);
    if (slash < 0 && !isMarker) {
      this.children.set(childPath, kv);
      return true;
    }
    // A key that is both is a file.
    if (child !== undefined && !(child instanceof Folder)) return false;
    const folder = child ?? new Folder(childPath, undefined, this.lease);
    if (child === undefined) this.children.set(childPath, folder);
    if (slash < 0) {
      folder.marker = kv;
      folder.lease = kv.lease;
    } else if (deep) return folder.add(kv, path, deep);
    return child === undefined;
  }
}

/** The path of an error's cause. */
export function text(path: string): string {
  return path === "" ? "/" : Buffer.from(path, "latin1").toString("utf8");
}
