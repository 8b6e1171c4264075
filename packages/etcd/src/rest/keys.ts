// The verbs of the keys API. Each is one transaction of the store: it reads, decides, and writes on the condition
// that what it decided on still holds; if it does not, it begins anew.
import type { Condition, KeysStore, KeysWrite, StoredKey } from "./keys-store.ts";
import { writeEntry } from "./journal.ts";
import { expirationAt, type Action, type Expiration, type KeysEvent, type KeysNode } from "./node.ts";
import { below, inside, journalKey, markerKey } from "./paths.ts";
import { KeysRefusal } from "./refusal.ts";
import type { KeysRequest } from "./request.ts";
import { inheritedLease, isDirectory, text, Tree, type Place, type Spot } from "./tree.ts";

const MOST_TRIES = 100;
/** Nodes that may hang on a directory's lease when its time to live is changed: each is written anew. */
const MOST_REHUNG = 64;
const MOST_LOOKED_AT = 4096;
/** How the identities of the API's own leases begin. */
const LEASE_MARK = 0x7632n << 48n;
const NOTHING = new Uint8Array(0);

export interface KeysOptions {
  /** Where the API's root lies in the store: a byte string such as "/some/place"; "" for everything. */
  readonly root?: string;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** A random unsigned integer of 64 bits. */
  readonly randomId: () => bigint;
}

export interface KeysAnswer {
  readonly event: KeysEvent;
  /** The store's index: of a write, its own. */
  readonly index: number;
  readonly isCreated: boolean;
}

/** What a write is to do. */
interface Plan {
  readonly action: Action;
  readonly path: string;
  readonly dir: boolean;
  readonly when: readonly Condition[];
  readonly write: readonly KeysWrite[];
  /** The node as it will be, given the index of the write. */
  readonly node: (index: number) => KeysNode;
  readonly prevNode: KeysNode | undefined;
  readonly expires: Expiration | undefined;
  /** The lease that the node had of its own, and has no more. */
  readonly left: bigint;
}

/** A lease for a time to live, granted on first use and kept through all tries of one request. */
interface TermOfLife {
  readonly lease: () => Promise<bigint>;
  readonly expires: Expiration | undefined;
}

export class Keys {
  readonly tree: Tree;
  readonly #store: KeysStore;
  readonly #root: string;
  readonly #options: KeysOptions;
  #lastPost: Promise<unknown> = Promise.resolve();

  constructor(store: KeysStore, options: KeysOptions) {
    this.#store = store;
    this.#options = options;
    this.#root = options.root ?? "";
    this.tree = new Tree(store, this.#root, options.wall);
  }

  /** Answers a request that does not wait. Rejects with KeysRefusal, or EtcdError when the store fails. */
  async answer(request: KeysRequest): Promise<KeysAnswer> {
    switch (request.method) {
      case "GET":
        return this.#get(request);
      case "PUT":
        return this.#change(request, (place, term) => this.#put(request, place, term));
      case "DELETE":
        return this.#change(request, (place) => this.#delete(request, place));
      case "POST": {
        // Two at once would only undo each other's try.
        const mine = this.#lastPost.then(() =>
          this.#change(request, (place, term) => this.#post(request, place, term)),
        );
        this.#lastPost = mine.catch(() => undefined);
        return mine;
      }
    }
  }

  async #get({ path, recursive }: KeysRequest): Promise<KeysAnswer> {
    const place = await this.tree.locate(path);
    this.tree.existing(place);
    const node = await this.tree.listing(place, recursive);
    return { event: { action: "get", node, prevNode: undefined }, index: place.revision, isCreated: false };
  }

  async #change(
    request: KeysRequest,
    decide: (place: Place, term: TermOfLife) => Promise<Plan | undefined>,
  ): Promise<KeysAnswer> {
    let granted: bigint | undefined;
    let used = 0n;
    const { ttl } = request;
    try {
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const place = await this.tree.locate(request.path);
        const now = this.#options.wall();
        const plan = await decide(place, {
          lease: async () => {
            if (ttl === undefined) return 0n;
            granted ??= await this.#grant(ttl);
            return granted;
          },
          expires: ttl === undefined ? undefined : expirationAt(now + ttl * 1000, now),
        });
        const revision = plan && (await this.#carryOut(plan, request.refresh));
        if (plan === undefined || revision === undefined) {
          // A very short life may be over before the node is written.
          if (granted !== undefined && (await this.#store.lease(granted)) === undefined) granted = undefined;
          continue;
        }
        if (plan.write.some((one) => "put" in one && one.lease === granted)) used = granted ?? 0n;
        this.#release(plan.left);
        const { action, prevNode } = plan;
        return {
          event: { action, node: plan.node(revision), prevNode },
          index: revision,
          isCreated: action === "create" || (action === "set" && prevNode === undefined),
        };
      }
      throw new KeysRefusal("internal", "other writes of the same keys kept coming first");
    } finally {
      if (granted !== undefined && granted !== used) this.#release(granted);
    }
  }

  async #carryOut(plan: Plan, refresh: boolean): Promise<number | undefined> {
    const { action, path, dir, expires } = plan;
    // Creating is never a refresh, whatever was asked for.
    const record = writeEntry({ action, path, dir, refresh: refresh && action !== "create", expires });
    const answer = await this.#store
      .write({
        when: plan.when,
        write: [...plan.write, { put: journalKey(this.#root), value: record, lease: 0n }],
      })
      .catch((error: unknown) => {
        // The lease that keys of the directory hang on has just ended: so has the directory.
        if ((error as { readonly code?: unknown }).code === "LEASE_NOT_FOUND")
          return { succeeded: false, revision: 0 };
        throw error;
      });
    return answer.succeeded ? answer.revision : undefined;
  }

  #put(request: KeysRequest, place: Place, term: TermOfLife): Promise<Plan> {
    const { prevExist, prevIndex, prevValue } = request;
    const compares = prevIndex > 0n || prevValue !== "";
    if (prevExist === false) return this.#create(request, place, term);
    if (compares) return this.#swap(request, place, term);
    return prevExist === true ? this.#update(request, place, term) : this.#set(request, place, term);
  }

  async #set(request: KeysRequest, place: Place, term: TermOfLife): Promise<Plan> {
    const { spot, revision, above } = place;
    const blocked = above.find(({ file }) => file !== undefined);
    if (blocked !== undefined) throw new KeysRefusal("notDirectory", text(blocked.path), revision);
    if (request.refresh) this.tree.existing(place);
    this.#notRoot(place);
    if (isDirectory(spot)) throw new KeysRefusal("notFile", text(spot.path), revision);
    const value = request.refresh ? (spot.file?.value ?? NOTHING) : Buffer.from(request.value);
    const prevNode = spot.file === undefined ? undefined : await this.tree.node(place);
    const made = this.#directories(above);
    const lease = request.ttl === undefined ? made.lease : await term.lease();
    const node = this.#newNode({ spot, dir: request.dir, value, lease });
    return {
      action: "set",
      path: spot.path,
      dir: request.dir,
      when: [...made.when, ...this.#asSeen(spot)],
      write: [...made.write, ...node],
      node: (index) => {
        const kept = request.dir ? undefined : spot.file;
        return newNode(spot.path, {
          value: request.dir ? undefined : value,
          index,
          kept,
          expires: term.expires,
        });
      },
      prevNode,
      expires: term.expires,
      left: this.#ownLease(spot.file, above),
    };
  }

  async #create(request: KeysRequest, place: Place, term: TermOfLife): Promise<Plan> {
    const { spot, revision, above } = place;
    this.#notRoot(place);
    const made = this.#directories(above, revision);
    if (spot.file !== undefined || isDirectory(spot))
      throw new KeysRefusal("nodeExists", text(spot.path), revision);
    const { dir, ttl } = request;
    const value = Buffer.from(request.value);
    const lease = ttl === undefined ? made.lease : await term.lease();
    return {
      action: "create",
      path: spot.path,
      dir,
      when: [...made.when, ...this.#asSeen(spot)],
      write: [...made.write, ...this.#newNode({ spot, dir, value, lease })],
      node: (index) => newNode(spot.path, { value: dir ? undefined : value, index, expires: term.expires }),
      prevNode: undefined,
      expires: term.expires,
      left: 0n,
    };
  }

  /** In-order keys: named for the index that the write is about to get. */
  async #post(request: KeysRequest, place: Place, term: TermOfLife): Promise<Plan | undefined> {
    const { spot, revision, above } = place;
    const made = this.#directories(spot.path === "" ? [] : [...above, spot], revision);
    const path = `${spot.path}/${String(revision + 1).padStart(20, "0")}`;
    const { dir, ttl } = request;
    const value = Buffer.from(request.value);
    const lease = ttl === undefined ? made.lease : await term.lease();
    const next: Spot = { path, file: undefined, marker: undefined, populated: false };
    const journal = journalKey(this.#root);
    const { results } = await this.#store.read([{ key: journal }]);
    const last = results[0]?.[0]?.modRevision ?? 0;
    if (last > revision) return undefined;
    return {
      action: "create",
      path,
      dir,
      // No other write came between, so names are in the order of their creation.
      when: [...made.when, ...this.#asSeen(next), { key: journal, modRevision: last }],
      write: [...made.write, ...this.#newNode({ spot: next, dir, value, lease })],
      node: (index) => newNode(path, { value: dir ? undefined : value, index, expires: term.expires }),
      prevNode: undefined,
      expires: term.expires,
      left: 0n,
    };
  }

  async #swap(request: KeysRequest, place: Place, term: TermOfLife): Promise<Plan> {
    this.#notRoot(place);
    const file = this.#compared(request, place);
    return this.#rewrite("compareAndSwap", { request, place, term, file });
  }

  async #update(request: KeysRequest, place: Place, term: TermOfLife): Promise<Plan> {
    this.#notRoot(place);
    const spot = this.tree.existing(place);
    if (spot.file !== undefined) return this.#rewrite("update", { request, place, term, file: spot.file });
    if (request.value !== "") throw new KeysRefusal("notFile", text(spot.path), place.revision);
    return this.#updateDirectory(request, place, term);
  }

  /** Writes a file that is there. */
  async #rewrite(
    action: Action,
    given: {
      readonly request: KeysRequest;
      readonly place: Place;
      readonly term: TermOfLife;
      readonly file: StoredKey;
    },
  ): Promise<Plan> {
    const { request, place, term, file } = given;
    const { spot, above } = place;
    const value = request.refresh ? file.value : Buffer.from(request.value);
    const lease = request.ttl === undefined ? inheritedLease(above) : await term.lease();
    return {
      action,
      path: spot.path,
      dir: false,
      when: this.#asSeen(spot),
      write: [{ put: this.#root + spot.path, value, lease }],
      node: (index) => newNode(spot.path, { value, index, kept: file, expires: term.expires }),
      prevNode: await this.tree.node(place),
      expires: term.expires,
      left: this.#ownLease(file, above),
    };
  }

  /** Only its time to live can be changed; what hangs on its lease goes along. */
  async #updateDirectory(request: KeysRequest, place: Place, term: TermOfLife): Promise<Plan> {
    const { spot, above } = place;
    const outer = inheritedLease(above);
    const before = spot.marker?.lease ?? outer;
    const own = this.#ownLease(spot.marker, above);
    const isKept = own !== 0n && request.ttl !== undefined && (await this.#renewed(own, request.ttl));
    const after = isKept ? own : request.ttl === undefined ? outer : await term.lease();
    const key = markerKey(this.#root + spot.path);
    const rehung = after === before ? [] : await this.#hangingOn(before, place);
    return {
      action: "update",
      path: spot.path,
      dir: true,
      when: [
        spot.marker === undefined ? { absent: { key } } : { key, modRevision: spot.marker.modRevision },
        ...rehung.map((kv) => ({ key: kv.key, modRevision: kv.modRevision })),
      ],
      write: [
        { put: key, value: NOTHING, lease: after },
        ...rehung.map((kv) => ({ put: kv.key, value: kv.value, lease: after })),
      ],
      node: (index) => ({
        path: spot.path,
        dir: true,
        value: undefined,
        expires: term.expires,
        modifiedIndex: index,
        createdIndex: spot.marker?.createRevision ?? index,
      }),
      prevNode: await this.tree.node(place),
      expires: term.expires,
      left: isKept ? 0n : own,
    };
  }

  async #delete(request: KeysRequest, place: Place): Promise<Plan> {
    const { revision, spot, above } = place;
    const { prevIndex, prevValue, recursive, dir } = request;
    const compares = prevIndex > 0n || prevValue !== "";
    if (compares) this.#compared(request, place);
    else this.#notRoot(place);
    this.tree.existing(place);
    const isFile = spot.file !== undefined;
    if (!isFile && !dir && !recursive) throw new KeysRefusal("notFile", text(spot.path), revision);
    if (!isFile && spot.populated && !recursive)
      throw new KeysRefusal("directoryNotEmpty", text(spot.path), revision);
    const key = this.#root + spot.path;
    const kv = spot.file ?? spot.marker;
    const seen = isFile || recursive ? this.#asSeen(spot) : [...this.#asSeen(spot), { absent: inside(key) }];
    return {
      action: compares ? "compareAndDelete" : "delete",
      path: spot.path,
      dir: !isFile,
      when: seen,
      write: [{ delete: isFile ? { key } : below(key) }],
      node: (index) => ({
        path: spot.path,
        dir: !isFile,
        value: undefined,
        expires: undefined,
        modifiedIndex: index,
        createdIndex: kv?.createRevision ?? 0,
      }),
      prevNode: await this.tree.node(place),
      expires: undefined,
      left: this.#ownLease(kv, above),
    };
  }

  /** The file, if it is as the request wants it to be. Refused: compareFailed, notFile, keyNotFound. */
  #compared({ prevIndex, prevValue }: KeysRequest, place: Place): StoredKey {
    const { file, path } = this.tree.existing(place);
    if (file === undefined) throw new KeysRefusal("notFile", path === "" ? "" : text(path), place.revision);
    const hasIndex = prevIndex === 0n || prevIndex === BigInt(file.modRevision);
    const hasValue = prevValue === "" || Buffer.compare(Buffer.from(prevValue), file.value) === 0;
    if (hasIndex && hasValue) return file;
    const value = `[${prevValue} != ${Buffer.from(file.value).toString("utf8")}]`;
    const index = `[${prevIndex} != ${file.modRevision}]`;
    const cause = hasValue ? index : hasIndex ? value : `${value} ${index}`;
    throw new KeysRefusal("compareFailed", cause, place.revision);
  }

  #notRoot({ spot, revision }: Place): void {
    if (spot.path === "") throw new KeysRefusal("rootReadOnly", "/", revision);
  }

  /** Makes the directories that are missing; they hang on the lease of the one above them. */
  #directories(
    above: readonly Spot[],
    revision = 0,
  ): { readonly when: Condition[]; readonly write: KeysWrite[]; readonly lease: bigint } {
    const when: Condition[] = [];
    const write: KeysWrite[] = [];
    let lease = 0n;
    for (const { path, file, marker } of above) {
      if (file !== undefined) throw new KeysRefusal("notDirectory", text(path), revision);
      const key = markerKey(this.#root + path);
      if (marker !== undefined) {
        lease = marker.lease;
        when.push({ key, createRevision: marker.createRevision });
      } else {
        when.push({ absent: { key: this.#root + path } }, { absent: { key } });
        write.push({ put: key, value: NOTHING, lease });
      }
    }
    return { when, write, lease };
  }

  /** The spot is as it was when the request was decided. */
  #asSeen({ path, file, marker, populated }: Spot): readonly Condition[] {
    const key = this.#root + path;
    if (file !== undefined) return [{ key, modRevision: file.modRevision }];
    if (marker !== undefined) return [{ key: marker.key, modRevision: marker.modRevision }];
    return populated ? [{ absent: { key } }] : [{ absent: { key } }, { absent: below(key) }];
  }

  #newNode(node: {
    readonly spot: Spot;
    readonly dir: boolean;
    readonly value: Uint8Array;
    readonly lease: bigint;
  }): readonly KeysWrite[] {
    const { spot, dir, value, lease } = node;
    const key = this.#root + spot.path;
    if (!dir) return [{ put: key, value, lease }];
    const replaced: KeysWrite[] = spot.file === undefined ? [] : [{ delete: { key } }];
    return [...replaced, { put: markerKey(key), value: NOTHING, lease }];
  }

  /** What would outlive the directory, or die with it, if only the directory's own lease were changed. */
  async #hangingOn(lease: bigint, { spot, revision }: Place): Promise<readonly StoredKey[]> {
    const { results } = await this.#store.read([
      { ...inside(this.#root + spot.path), limit: MOST_LOOKED_AT },
    ]);
    const found = results[0] ?? [];
    const hanging = found.filter((kv) => kv.lease === lease);
    if (found.length === MOST_LOOKED_AT || hanging.length > MOST_REHUNG) {
      throw new KeysRefusal(
        "invalidField",
        `the ttl of a directory with more than ${MOST_REHUNG} nodes cannot be changed to another`,
        revision,
      );
    }
    return hanging;
  }

  async #renewed(lease: bigint, seconds: number): Promise<boolean> {
    const term = await this.#store.lease(lease);
    if (term?.grantedSeconds !== seconds) return false;
    await this.#store.renew(lease);
    return true;
  }

  /** The lease that a node has of its own, if it was granted here. */
  #ownLease(kv: StoredKey | undefined, above: readonly Spot[]): bigint {
    if (kv === undefined || kv.lease === inheritedLease(above)) return 0n;
    return kv.lease >> 48n === LEASE_MARK >> 48n ? kv.lease : 0n;
  }

  async #grant(seconds: number): Promise<bigint> {
    const lease = LEASE_MARK | BigInt.asUintN(48, this.#options.randomId());
    await this.#store.grant(lease, seconds);
    return lease;
  }

  /** Nothing hangs on the lease any more; if this fails it ends by itself. */
  #release(lease: bigint): void {
    if (lease !== 0n) this.#store.revoke(lease).catch(() => undefined);
  }
}

function newNode(
  path: string,
  made: {
    /** Undefined for a directory. */
    readonly value: Uint8Array | undefined;
    readonly index: number;
    /** The file that was there and keeps its creation. */
    readonly kept?: StoredKey | undefined;
    readonly expires: Expiration | undefined;
  },
): KeysNode {
  const { value, index, kept, expires } = made;
  const dir = value === undefined;
  return { path, dir, value, expires, modifiedIndex: index, createdIndex: kept?.createRevision ?? index };
}
