// Says who the client is, to a store that asks: exchanges name and password for a token, once for all calls of a
// connection, and again when the store no longer takes the token (it ran out, rights were changed). A new connection
// gets a new one, since another store may answer there: etcd does not refuse a token whose number is ahead of its
// own history, but waits until it has come so far.
import { EtcdError } from "../errors.ts";
import type { Connection } from "./connection.ts";
import { RPC } from "./rpc.ts";

/** A user of the store, as `etcdctl user add` makes one. */
export interface ClientAuth {
  readonly username: string;
  readonly password: string;
}

/** What a call goes out with; compared by identity. `token` is missing while the store asks for none. */
export interface Pass {
  readonly token: string | undefined;
}

/** Codes with which a store says that it wants another token, or one at all. Nothing was carried out then. */
const STALE: ReadonlySet<string> = new Set(["INVALID_AUTH_TOKEN", "AUTH_OLD_REVISION", "USER_EMPTY"]);

/**
 * Codes with which a store refuses whom it takes the certificate's name for. Without a token that says only that it
 * asks for users since we asked.
 */
const UNKNOWN_HERE: ReadonlySet<string> = new Set(["ACCESS_DENIED", "PERMISSION_DENIED", "USER_NOT_FOUND"]);

export class Login {
  readonly #auth: ClientAuth;
  readonly #deadlineMs: number;
  #connection: Connection | undefined;
  #pass: Promise<Pass> | undefined;
  #current: Pass | undefined;

  /** @throws EtcdError INVALID_ARGUMENT */
  constructor({ username, password }: ClientAuth, deadlineMs: number) {
    if (username === "") throw new EtcdError("INVALID_ARGUMENT", "auth needs a username");
    if (password === "") throw new EtcdError("INVALID_ARGUMENT", `auth of ${username} needs a password`);
    this.#auth = { username, password };
    this.#deadlineMs = deadlineMs;
  }

  /**
   * The pass that is valid as far as is known. Calls that ask at the same time wait for the same answer.
   * @throws EtcdError AUTH_FAILED, or what the connection failed with; ABORTED when the signal fires
   */
  pass(connection: Connection, signal?: AbortSignal): Promise<Pass> {
    if (this.#pass === undefined || this.#connection !== connection) {
      this.#connection = connection;
      const pass = this.#authenticate(connection);
      this.#pass = pass;
      pass.then(
        (current) => {
          if (this.#pass === pass) this.#current = current;
        },
        () => {
          if (this.#pass === pass) this.#pass = undefined;
        },
      );
    }
    return unlessAborted(this.#pass, signal);
  }

  /** A call with this pass failed. True if it was for the pass: the next one will be another. */
  refused(pass: Pass, error: EtcdError): boolean {
    const isUnknown = pass.token === undefined && UNKNOWN_HERE.has(error.code);
    if (!STALE.has(error.code) && !isUnknown) return false;
    if (this.#current === pass) {
      this.#current = undefined;
      this.#pass = undefined;
    }
    return true;
  }

  async #authenticate(connection: Connection): Promise<Pass> {
    const { username: name, password } = this.#auth;
    try {
      const options = { deadlineMs: this.#deadlineMs, needsLeader: true };
      const { token } = await connection.unary(RPC.authenticate, { name, password }, options);
      return { token };
    } catch (error) {
      // As with etcd's own clients, users may be set up before the store asks for them.
      if (error instanceof EtcdError && error.code === "AUTH_NOT_ENABLED") return { token: undefined };
      throw error;
    }
  }
}

/** Waits for what others wait for too, until the signal fires. */
async function unlessAborted<T>(shared: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await shared;
  const { promise, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(new EtcdError("ABORTED", "the caller gave up", { cause: signal.reason }));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([shared, promise]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
