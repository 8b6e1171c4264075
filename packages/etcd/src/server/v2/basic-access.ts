// Who may do what over /v2 while the store asks for users: they are v3's, named with HTTP's Basic authentication,
// and their roles count. A file is its key; a directory is the range of keys below it.
import { createHmac, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Keys, type KeysOptions } from "../../rest/keys.ts";
import type { KeysStore, KeysTransaction, KeysWrite } from "../../rest/keys-store.ts";
import type { KeysVisitor } from "../../rest/handler.ts";
import type { KeysEvent } from "../../rest/node.ts";
import { below, journalKey, markerKey } from "../../rest/paths.ts";
import { KeysRefusal } from "../../rest/refusal.ts";
import type { KeysRequest } from "../../rest/request.ts";
import { ROOT, type AuthState } from "../auth/auth-state.ts";
import type { Passwords } from "../auth/passwords.ts";
import type { KeySet, Rights } from "../auth/permissions.ts";

/** Passwords that were found right and are not compared again, until users change. */
const MOST_KNOWN = 1000;

export class BasicAccess {
  readonly #auth: AuthState;
  readonly #passwords: Passwords;
  readonly #secret = randomBytes(32);
  readonly #known = new Map<string, number>();

  constructor(auth: AuthState, passwords: Passwords) {
    this.#auth = auth;
    this.#passwords = passwords;
  }

  get isAsked(): boolean {
    return this.#auth.enabled;
  }

  /** The user who asks. Refused: unauthorized. */
  async user({ headers }: IncomingMessage): Promise<string> {
    const [scheme, encoded = ""] = (headers.authorization ?? "").split(" ");
    const credentials = Buffer.from(encoded, "base64").toString("utf8");
    const colon = credentials.indexOf(":");
    if (scheme?.toLowerCase() !== "basic" || colon <= 0) throw insufficient();
    const name = credentials.slice(0, colon);
    if (!(await this.#isRight(name, credentials.slice(colon + 1)))) throw insufficient();
    return name;
  }

  isRoot(name: string): boolean {
    return this.#auth.hasRole(name, ROOT);
  }

  /** What a user may do. Refused at once when that is nothing at the path. */
  visitor(
    name: string,
    request: KeysRequest,
    given: { readonly store: KeysStore; readonly options: KeysOptions },
  ): KeysVisitor {
    if (this.isRoot(name)) return {};
    const { path, method, prevIndex, prevValue } = request;
    const rights = this.#auth.rights(name);
    const isWrite = method !== "GET";
    if (!coversAny(isWrite ? rights.write : rights.read, path)) throw insufficient();
    // A comparison that fails tells what is there.
    if ((prevIndex > 0n || prevValue !== "") && !coversFile(rights.read, path)) throw insufficient();
    return {
      keys: isWrite ? new Keys(new GuardedKeysStore(given.store, rights), given.options) : undefined,
      mayShow: (event) => mayShow(rights.read, event),
    };
  }

  async #isRight(name: string, password: string): Promise<boolean> {
    const user = this.#auth.user(name);
    if (user === undefined || user.options?.noPassword === true) return false;
    const { revision } = this.#auth;
    const proof = createHmac("sha256", this.#secret).update(`${name}\0${password}`).digest("base64");
    if (this.#known.get(proof) === revision) return true;
    const isRight = await this.#passwords.matches(password, Buffer.from(user.password).toString("latin1"));
    if (!isRight || this.#auth.revision !== revision) return false;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(proof, revision);
    return true;
  }
}

/** Lets through what a user may write. Its reads are for deciding; what of them is shown is another's matter. */
class GuardedKeysStore implements KeysStore {
  readonly #store: KeysStore;
  readonly #rights: Rights;

  constructor(store: KeysStore, rights: Rights) {
    this.#store = store;
    this.#rights = rights;
  }

  get identity(): KeysStore["identity"] {
    return this.#store.identity;
  }

  read: KeysStore["read"] = (spans, revision) => this.#store.read(spans, revision);
  watch: KeysStore["watch"] = (span, from, signal) => this.#store.watch(span, from, signal);
  grant: KeysStore["grant"] = (lease, seconds) => this.#store.grant(lease, seconds);
  renew: KeysStore["renew"] = (lease) => this.#store.renew(lease);
  revoke: KeysStore["revoke"] = (lease) => this.#store.revoke(lease);
  lease: KeysStore["lease"] = (lease) => this.#store.lease(lease);

  async write(transaction: KeysTransaction): ReturnType<KeysStore["write"]> {
    for (const one of transaction.write) {
      if (isByTheWay(one, transaction)) continue;
      const { key, end = "" } = "put" in one ? { key: one.put } : one.delete;
      // The answer shows what was there before.
      if (!this.#rights.write.covers(key, end) || !this.#rights.read.covers(key, end)) throw insufficient();
    }
    return this.#store.write(transaction);
  }
}

/** The journal, and the marks of directories that come to be because something is put into them. */
function isByTheWay(one: KeysWrite, { write, when }: KeysTransaction): boolean {
  if (!("put" in one)) return false;
  const { put } = one;
  if (put === journalKey("")) return true;
  return (
    put.endsWith("/") &&
    when.some((condition) => "absent" in condition && condition.absent.key === put) &&
    write.some((other) => "put" in other && other.put !== put && other.put.startsWith(put))
  );
}

function coversFile(keys: KeySet, path: string): boolean {
  return path !== "" && keys.covers(path, "");
}

function coversDirectory(keys: KeySet, path: string): boolean {
  const { key, end } = below(path);
  return keys.covers(key, end);
}

function coversAny(keys: KeySet, path: string): boolean {
  return coversFile(keys, path) || coversDirectory(keys, path);
}

function mayShow(keys: KeySet, { action, node }: KeysEvent): boolean {
  if (!node.dir) return coversFile(keys, node.path);
  return action === "get" ? coversDirectory(keys, node.path) : keys.covers(markerKey(node.path), "");
}

function insufficient(): KeysRefusal {
  return new KeysRefusal("unauthorized", "Insufficient credentials");
}
