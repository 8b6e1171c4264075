// Who asks, and what is permitted: decided when a request comes in, and again when its change is carried out,
// since rights may have changed in between. Follows server/etcdserver/apply_auth.go of etcd 3.5.
import { EtcdError } from "../../errors.ts";
import type { LeaseTable } from "../../keyspace/leases.ts";
import type { Operation, PutRequest, TxnRequest } from "../../keyspace/requests.ts";
import { ROOT, type AuthState } from "./auth-state.ts";

/** Who asks, as far as is known, and the auth revision at which that was established. */
export interface Requester {
  /** Empty for one who did not say. */
  readonly user: string;
  readonly revision: number;
}

export const NOBODY: Requester = { user: "", revision: 0 };

/** What the rules look at. */
export interface Guarded {
  readonly auth: AuthState;
  readonly leases: LeaseTable;
}

/** The server itself, which may do everything. */
export function theServer({ revision }: AuthState): Requester {
  return { user: ROOT, revision };
}

/** @throws EtcdError USER_EMPTY, AUTH_OLD_REVISION, ACCESS_DENIED */
export function permitRead(
  { auth }: Pick<Guarded, "auth">,
  by: Requester,
  { key, rangeEnd }: { readonly key: string; readonly rangeEnd: string },
): void {
  if (isRoot(auth, by)) return;
  if (!auth.rights(by.user).read.covers(key, rangeEnd)) throw EtcdError.refusal("ACCESS_DENIED");
}

/** @throws EtcdError USER_EMPTY, AUTH_OLD_REVISION, ACCESS_DENIED */
export function permitWrite(
  { auth }: Pick<Guarded, "auth">,
  by: Requester,
  { key, rangeEnd }: { readonly key: string; readonly rangeEnd: string },
): void {
  if (isRoot(auth, by)) return;
  if (!auth.rights(by.user).write.covers(key, rangeEnd)) throw EtcdError.refusal("ACCESS_DENIED");
}

/** A put may also tell the pair before it, and hang the key on a lease: then the lease's other keys count. */
export function permitPut(on: Guarded, by: Requester, request: PutRequest): void {
  const point = { key: request.key, rangeEnd: "" };
  permitWrite(on, by, point);
  permitLeaseEnd(on, by, request.lease);
  if (request.prevKv) permitRead(on, by, point);
}

/** Who may end a lease may delete its keys. One that does not exist is refused later, for that. */
export function permitLeaseEnd(on: Guarded, by: Requester, id: bigint): void {
  for (const key of on.leases.get(id)?.keys ?? []) permitWrite(on, by, { key, rangeEnd: "" });
}

/** All keys of a lease may be read. */
export function permitLeaseKeys(on: Guarded, by: Requester, id: bigint): void {
  for (const key of on.leases.get(id)?.keys ?? []) permitRead(on, by, { key, rangeEnd: "" });
}

/** Conditions and both branches, whichever will be taken. */
export function permitTxn(on: Guarded, by: Requester, { compare, success, failure }: TxnRequest): void {
  for (const condition of compare) permitRead(on, by, condition);
  for (const operation of success) permitOperation(on, by, operation);
  for (const operation of failure) permitOperation(on, by, operation);
}

function permitOperation(on: Guarded, by: Requester, operation: Operation): void {
  switch (operation.kind) {
    case "range":
      return permitRead(on, by, operation.request);
    case "put":
      return permitPut(on, by, operation.request);
    case "delete":
      if (operation.request.prevKv) permitRead(on, by, operation.request);
      return permitWrite(on, by, operation.request);
    case "txn":
      return permitTxn(on, by, operation.request);
    case "none":
      return;
  }
}

/** The auth revision does not count here, with etcd either. @throws EtcdError USER_EMPTY, USER_NOT_FOUND, ACCESS_DENIED */
export function permitAdmin(auth: AuthState, { user }: Requester): void {
  if (!auth.enabled) return;
  if (user === "") throw EtcdError.refusal("USER_EMPTY");
  if (auth.user(user) === undefined) throw EtcdError.refusal("USER_NOT_FOUND");
  if (!auth.hasRole(user, ROOT)) throw EtcdError.refusal("ACCESS_DENIED");
}

/** @throws EtcdError if the requester counts for nothing (any more) */
function isRoot(auth: AuthState, { user, revision }: Requester): boolean {
  if (!auth.enabled) return true;
  if (revision === 0) throw EtcdError.refusal("USER_EMPTY");
  if (revision < auth.revision) throw EtcdError.refusal("AUTH_OLD_REVISION");
  if (auth.user(user) === undefined) throw EtcdError.refusal("ACCESS_DENIED");
  return auth.hasRole(user, ROOT);
}
