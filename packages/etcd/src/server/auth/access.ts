// The door of the server: says of each request who makes it, and lets in whoever may come. While nobody is asked
// for, it is one comparison.
import { EtcdError, GRPC_STATUS, type EtcdErrorCode } from "../../errors.ts";
import type { LeaseTable } from "../../keyspace/leases.ts";
import type { TxnRequest } from "../../keyspace/requests.ts";
import type { Call, Method, ServiceTable, StreamHandler } from "../transport/call.ts";
import { ROOT, type AuthState } from "./auth-state.ts";
import { NOBODY, permitAdmin, permitLeaseKeys, permitRead, permitTxn, type Requester } from "./requester.ts";
import type { TokenProvider } from "./tokens.ts";

export interface AccessOptions {
  readonly auth: AuthState;
  readonly leases: LeaseTable;
  readonly tokens: TokenProvider;
  /** The common name of a client's certificate is its user, if it shows no token. */
  readonly byCertificate: boolean;
}

/** Methods that only root may call, by service. MemberAdd is another; it looks at its addresses first. */
const FOR_ROOT: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["etcdserverpb.Cluster", new Set(["MemberRemove", "MemberUpdate", "MemberPromote"])],
  ["etcdserverpb.Maintenance", new Set(["Defragment", "Hash", "HashKV", "Snapshot"])],
  ["keelson.etcd.Handover", new Set(["Seal", "Write", "Unseal", "Status"])],
]);

/** These refuse in words of their own, without a status: etcd 3.5 hands on what its users' store says. */
const UNTRANSLATED = "etcdserverpb.Maintenance";
const OWN_WORDS: Readonly<Partial<Record<EtcdErrorCode, string>>> = {
  INVALID_AUTH_TOKEN: "auth: invalid auth token",
  USER_EMPTY: "auth: user name is empty",
  USER_NOT_FOUND: "auth: user not found",
  ACCESS_DENIED: "auth: permission denied",
};

export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /**
   * Who makes a request: undefined while the store does not ask, {@link NOBODY} if it does and was not told.
   * @throws EtcdError INVALID_AUTH_TOKEN
   */
  requester({ metadata, peer }: Call): Requester | undefined {
    const { auth, tokens, byCertificate } = this.#options;
    if (!auth.enabled) return undefined;
    const given = metadata["token"] ?? metadata["authorization"];
    const token = typeof given === "string" ? given : given?.[0];
    if (token !== undefined) {
      const holder = tokens.holder(token);
      if (holder === undefined) throw EtcdError.refusal("INVALID_AUTH_TOKEN");
      return holder;
    }
    // A gateway shows its own certificate, whoever it speaks for.
    if (!byCertificate || peer.commonName === undefined || "grpcgateway-accept" in metadata) return NOBODY;
    return { user: peer.commonName, revision: auth.revision };
  }

  /** @throws EtcdError INVALID_AUTH_TOKEN, USER_EMPTY, AUTH_OLD_REVISION, ACCESS_DENIED */
  read(call: Call, keys: { readonly key: string; readonly rangeEnd: string }): void {
    const by = this.requester(call);
    if (by !== undefined) permitRead(this.#options, by, keys);
  }

  /** Conditions and operations of a transaction. @throws as {@link read} */
  txn(call: Call, request: TxnRequest): void {
    const by = this.requester(call);
    if (by !== undefined) permitTxn(this.#options, by, request);
  }

  /** All keys that hang on a lease. @throws as {@link read} */
  leaseKeys(call: Call, id: bigint): void {
    const by = this.requester(call);
    if (by === undefined) return;
    const { auth } = this.#options;
    if (by.user === "") throw EtcdError.refusal("USER_EMPTY");
    if (auth.hasRole(by.user, ROOT)) return;
    permitLeaseKeys(this.#options, by, id);
  }

  /** @throws EtcdError INVALID_AUTH_TOKEN, USER_EMPTY, ACCESS_DENIED */
  root(call: Call): void {
    const by = this.requester(call);
    if (by !== undefined) permitAdmin(this.#options.auth, by);
  }
}

/** Services whose methods for root only are closed to others. */
export function guardedServices(services: ServiceTable, access: Access): ServiceTable {
  return new Map(
    [...services].map(([service, methods]) => {
      const names = FOR_ROOT.get(service);
      if (names === undefined) return [service, methods];
      const door = (call: Call): void => {
        try {
          access.root(call);
        } catch (error) {
          throw service === UNTRANSLATED ? inOwnWords(error) : error;
        }
      };
      const guarded = Object.entries(methods).map(([name, method]) => [
        name,
        names.has(name) ? forRoot(method, door) : method,
      ]);
      return [service, Object.fromEntries(guarded) as Record<string, Method>];
    }),
  );
}

function inOwnWords(error: unknown): unknown {
  const words = error instanceof EtcdError ? OWN_WORDS[error.code] : undefined;
  if (words === undefined) return error;
  return new EtcdError((error as EtcdError).code, words, { grpcStatus: GRPC_STATUS.UNKNOWN });
}

/** `door` throws where nobody may pass. */
function forRoot(method: Method, door: (call: Call) => void): Method {
  switch (method.kind) {
    case "unary":
      return {
        kind: "unary",
        // An answer that is a promise refuses by rejection, and so does this.
        handle: (bytes, call) => {
          try {
            door(call);
          } catch (error) {
            return Promise.reject(error as EtcdError);
          }
          return method.handle(bytes, call);
        },
      };
    case "waiting":
      return {
        kind: "waiting",
        handle: async (bytes, call, gone) => {
          door(call);
          return await method.handle(bytes, call, gone);
        },
      };
    case "stream":
      return {
        kind: "stream",
        open: (call) => {
          try {
            door(call);
          } catch (error) {
            call.end(error);
            return DEAF;
          }
          return method.open(call);
        },
      };
  }
}

/** For a call that is over before it began. */
const DEAF: StreamHandler = {
  message: () => undefined,
  halfClosed: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
