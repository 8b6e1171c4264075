// The one error class of this package, and etcd's own refusals with their exact words: the server answers
// with them, the client recognises them. Codes are stable and meant for programs; messages are for people.

/** gRPC status codes by name (https://grpc.io/docs/guides/status-codes/). */
export const GRPC_STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/**
 * What an etcd 3.5 server refuses, as [gRPC status, message]. Source: observed on etcd 3.5.16, and
 * https://pkg.go.dev/go.etcd.io/etcd/api/v3/v3rpc/rpctypes.
 */
export const SERVER_REFUSALS = {
  EMPTY_KEY: [3, "etcdserver: key is not provided"],
  KEY_NOT_FOUND: [3, "etcdserver: key not found"],
  VALUE_PROVIDED: [3, "etcdserver: value is provided"],
  LEASE_PROVIDED: [3, "etcdserver: lease is provided"],
  TOO_MANY_OPS: [3, "etcdserver: too many operations in txn request"],
  DUPLICATE_KEY: [3, "etcdserver: duplicate key given in txn request"],
  REQUEST_TOO_LARGE: [3, "etcdserver: request is too large"],
  COMPACTED: [11, "etcdserver: mvcc: required revision has been compacted"],
  FUTURE_REVISION: [11, "etcdserver: mvcc: required revision is a future revision"],
  NO_SPACE: [8, "etcdserver: mvcc: database space exceeded"],
  TOO_MANY_REQUESTS: [8, "etcdserver: too many requests"],
  LEASE_NOT_FOUND: [5, "etcdserver: requested lease not found"],
  LEASE_EXISTS: [9, "etcdserver: lease already exists"],
  LEASE_TTL_TOO_LARGE: [11, "etcdserver: too large lease TTL"],
  MEMBER_EXISTS: [9, "etcdserver: member ID already exist"],
  MEMBER_PEER_URL_EXISTS: [9, "etcdserver: Peer URLs already exists"],
  MEMBER_NOT_ENOUGH_STARTED: [9, "etcdserver: re-configuration failed due to not enough started members"],
  MEMBER_BAD_URLS: [3, "etcdserver: given member URLs are invalid"],
  MEMBER_NOT_FOUND: [5, "etcdserver: member not found"],
  MEMBER_NOT_LEARNER: [9, "etcdserver: can only promote a learner member"],
  LEARNER_NOT_READY: [9, "etcdserver: can only promote a learner member which is in sync with leader"],
  TOO_MANY_LEARNERS: [9, "etcdserver: too many learner members in cluster"],
  BAD_LEADER_TRANSFEREE: [9, "etcdserver: bad leader transferee"],
  NOT_LEADER: [9, "etcdserver: not leader"],
  NO_LEADER: [14, "etcdserver: no leader"],
  LEADER_CHANGED: [14, "etcdserver: leader changed"],
  SERVER_STOPPED: [14, "etcdserver: server stopped"],
  SERVER_TIMEOUT: [14, "etcdserver: request timed out"],
  UNHEALTHY: [14, "etcdserver: unhealthy cluster"],
  CORRUPT: [15, "etcdserver: corrupt cluster"],
  INVALID_CLIENT_API_VERSION: [3, "etcdserver: invalid client api version"],
  INVALID_SORT_OPTION: [3, "etcdserver: invalid sort option"],
  NOT_CAPABLE: [14, "etcdserver: not capable"],
  ROOT_USER_MISSING: [9, "etcdserver: root user does not exist"],
  ROOT_ROLE_MISSING: [9, "etcdserver: root user does not have root role"],
  USER_EXISTS: [9, "etcdserver: user name already exists"],
  USER_EMPTY: [3, "etcdserver: user name is empty"],
  USER_NOT_FOUND: [9, "etcdserver: user name not found"],
  ROLE_EXISTS: [9, "etcdserver: role name already exists"],
  ROLE_NOT_FOUND: [9, "etcdserver: role name not found"],
  ROLE_EMPTY: [3, "etcdserver: role name is empty"],
  AUTH_FAILED: [3, "etcdserver: authentication failed, invalid user ID or password"],
  PERMISSION_NOT_GIVEN: [3, "etcdserver: permission not given"],
  ACCESS_DENIED: [7, "etcdserver: permission denied"],
  ROLE_NOT_GRANTED: [9, "etcdserver: role is not granted to the user"],
  PERMISSION_NOT_GRANTED: [9, "etcdserver: permission is not granted to the role"],
  AUTH_NOT_ENABLED: [9, "etcdserver: authentication is not enabled"],
  INVALID_AUTH_TOKEN: [16, "etcdserver: invalid auth token"],
  INVALID_AUTH_MANAGEMENT: [3, "etcdserver: invalid auth management"],
  AUTH_OLD_REVISION: [3, "etcdserver: revision of auth store is old"],
  WRONG_DOWNGRADE_VERSION_FORMAT: [3, "etcdserver: wrong downgrade target version format"],
  INVALID_DOWNGRADE_TARGET_VERSION: [3, "etcdserver: invalid downgrade target version"],
  DOWNGRADE_IN_PROCESS: [9, "etcdserver: cluster has a downgrade job in progress"],
  NO_INFLIGHT_DOWNGRADE: [9, "etcdserver: no inflight downgrade job"],
} as const satisfies Record<string, readonly [grpcStatus: number, message: string]>;

/** Code of a refusal by the server. */
export type RefusalCode = keyof typeof SERVER_REFUSALS;

/** Every code that an {@link EtcdError} can carry. */
export type EtcdErrorCode =
  | RefusalCode
  /** The request is wrong and was not sent, or the server found it wrong in a way without a code of its own. */
  | "INVALID_ARGUMENT"
  /** No endpoint accepts connections (TCP refused): the server is certainly not running there. */
  | "REFUSED"
  /** No answer in time. For a write see `AMBIGUOUS`. */
  | "TIMEOUT"
  /** No connection, or the server cannot serve just now. Nothing was carried out. */
  | "UNAVAILABLE"
  /** A write was sent but its answer never came: it may or may not have been carried out. */
  | "AMBIGUOUS"
  /** Another store answers than before: everything read so far is void. */
  | "STORE_REPLACED"
  /** A campaign was won, but the leader's key is gone since. */
  | "LEADERSHIP_LOST"
  /** The answer is not what the protocol allows. */
  | "BAD_RESPONSE"
  | "UNAUTHENTICATED"
  | "PERMISSION_DENIED"
  | "UNIMPLEMENTED"
  /** The caller's signal was aborted. */
  | "ABORTED"
  /** The client, server or store was closed. */
  | "CLOSED"
  /** The server failed in a way that has no code of its own; see `grpcStatus`. */
  | "INTERNAL"
  /** The store's directory is in use by another process. */
  | "STORE_IN_USE"
  /** The store's files are damaged where no crash could have damaged them. */
  | "STORE_DAMAGED"
  /** Reading or writing the store's files failed. */
  | "STORE_IO"
  /** The store was sealed, because it moves or has moved to another place; the message says where. */
  | "SEALED"
  /** A store cannot be moved as things are; nothing was changed. The message says why. */
  | "MIGRATION_REFUSED"
  /** Moving a store failed under way; the source serves as before. The message says at which step and why. */
  | "MIGRATION_FAILED";

export interface EtcdErrorOptions {
  /** gRPC status on the wire, if there was one or is to be one. */
  readonly grpcStatus?: number | undefined;
  readonly cause?: unknown;
  /** With `COMPACTED`: the oldest revision that still can be read and watched. */
  readonly compactRevision?: number | undefined;
}

/** The one error of this package. `code` says what happened; `cause` holds what it came from, if anything. */
export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly code: EtcdErrorCode;
  readonly grpcStatus: number | undefined;
  readonly compactRevision: number | undefined;

  constructor(code: EtcdErrorCode, message: string, options: EtcdErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.grpcStatus = options.grpcStatus;
    this.compactRevision = options.compactRevision;
  }

  /** A refusal in etcd's own words, as a server answers it. */
  static refusal(code: RefusalCode): EtcdError {
    const [grpcStatus, message] = SERVER_REFUSALS[code];
    return new EtcdError(code, message, { grpcStatus });
  }
}
