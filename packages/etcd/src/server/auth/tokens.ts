// Simple tokens, as server/auth/simple_token.go makes them: sixteen random letters, a dot and a number. They live
// in memory only, so a restart ends them all, and clients authenticate again.
import { randomInt } from "node:crypto";
import type { MonotonicClock } from "../options.ts";
import type { AuthState } from "./auth-state.ts";
import type { AuthChange } from "./changes.ts";
import type { Requester } from "./requester.ts";

/** Makes and recognises tokens. */
export interface TokenProvider {
  /** A token for a user that has authenticated. `index` is that of the last change carried out. */
  assign(user: string, index: number): string;
  /** Who holds a token; undefined if it is none (any more). */
  holder(token: string): Requester | undefined;
  /** Follows what was carried out. */
  applied(change: AuthChange): void;
  /** Tokens that are kept now. */
  readonly size: number;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LENGTH = 16;
/** Above this the one that was unused for longest goes. etcd keeps any number. */
const MOST_TOKENS = 100_000;

interface Held {
  readonly user: string;
  expires: number;
}

export class SimpleTokens implements TokenProvider {
  readonly #auth: AuthState;
  readonly #clock: MonotonicClock;
  readonly #ttlMs: number;
  /** In the order of last use, so that the first is always the first to expire. */
  readonly #tokens = new Map<string, Held>();

  constructor(auth: AuthState, { clock, ttlMs }: { readonly clock: MonotonicClock; readonly ttlMs: number }) {
    this.#auth = auth;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  get size(): number {
    return this.#tokens.size;
  }

  assign(user: string, index: number): string {
    this.#drop();
    let token = "";
    for (let i = 0; i < LENGTH; i++) token += LETTERS[randomInt(LETTERS.length)];
    token += `.${index}`;
    this.#tokens.set(token, { user, expires: this.#clock.now() + this.#ttlMs });
    return token;
  }

  holder(token: string): Requester | undefined {
    const held = this.#tokens.get(token);
    if (held === undefined) return undefined;
    this.#tokens.delete(token);
    const now = this.#clock.now();
    if (held.expires <= now) return undefined;
    held.expires = now + this.#ttlMs;
    this.#tokens.set(token, held);
    return { user: held.user, revision: this.#auth.revision };
  }

  applied(change: AuthChange): void {
    if (change.name === "disable") this.#tokens.clear();
    if (change.name !== "userDelete" && change.name !== "userChangePassword") return;
    for (const [token, { user }] of this.#tokens) {
      if (user === change.message.name) this.#tokens.delete(token);
    }
  }

  #drop(): void {
    const now = this.#clock.now();
    for (const [token, { expires }] of this.#tokens) {
      if (expires > now && this.#tokens.size < MOST_TOKENS) return;
      this.#tokens.delete(token);
    }
  }
}
