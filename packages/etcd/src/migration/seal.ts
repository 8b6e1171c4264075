// How a source is put out of service, in one step of its own order of changes: the embedded server has a seal of its
// own; of an etcd cluster authentication is enabled, with a user that nobody else knows. Reads of others go on with
// the former only.

import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { EtcdError, RPC, type EtcdClient } from "../client/index.ts";
import { rpc } from "../client/rpc.ts";
import { Auth } from "../proto/generated/etcdserverpb/auth_pb.ts";
import { TxnRequestSchema, TxnResponseSchema } from "../proto/generated/etcdserverpb/kv_pb.ts";
import { Handover } from "../proto/generated/keelson/handover_pb.ts";

/** The user that seals an etcd cluster: authentication cannot be enabled without it. */
export const SEALING_USER = "root";
const ROLE = "root";

type WireTxn = MessageInitShape<typeof TxnRequestSchema>;

export interface SourceSeal {
  /** Whether leases of the sealed source run out all the same. */
  readonly leasesRunOut: boolean;
  /** What takes time and can be done before; refuses nothing yet. May be repeated. */
  prepare(): Promise<void>;
  /** Refuses everyone else's writes from then on. May be repeated. */
  close(): Promise<void>;
  /** A transaction through the seal. Resolves with its revision, undefined when its conditions did not hold. */
  write(txn: WireTxn): Promise<number | undefined>;
  /** Says that the successor is in charge. May be repeated. */
  handOver(): Promise<void>;
  /** Takes the seal off, if there is one. */
  open(): Promise<void>;
}

export interface SealOptions {
  readonly source: EtcdClient;
  readonly secret: string;
  readonly reason: string;
  readonly successor: readonly string[];
}

const handover = {
  seal: rpc(Handover.method.seal),
  write: rpc(Handover.method.write),
  unseal: rpc(Handover.method.unseal),
  status: rpc(Handover.method.status),
} as const;

const auth = {
  status: rpc(Auth.method.authStatus),
  enable: rpc(Auth.method.authEnable),
  disable: rpc(Auth.method.authDisable),
  addUser: rpc(Auth.method.userAdd),
  deleteUser: rpc(Auth.method.userDelete),
  addRole: rpc(Auth.method.roleAdd),
  deleteRole: rpc(Auth.method.roleDelete),
  grantRole: rpc(Auth.method.userGrantRole),
} as const;

/** Whether a store is this library's own server, which has a seal, or an etcd. */
export async function isEmbedded(client: EtcdClient): Promise<boolean> {
  try {
    await client.call(handover.status, {}, { idempotent: true });
    return true;
  } catch (error) {
    if ((error as EtcdError).code !== "UNIMPLEMENTED") throw error;
    return false;
  }
}

/** The seal that this source has. Throws EtcdError if it cannot be asked. */
export async function sealOf(options: SealOptions): Promise<SourceSeal> {
  return (await isEmbedded(options.source)) ? new EmbeddedSeal(options) : new ClusterSeal(options);
}

/** Whether a store has authentication on. */
export async function hasAuth(client: EtcdClient): Promise<boolean> {
  try {
    return (await client.call(auth.status, {}, { idempotent: true })).enabled;
  } catch (error) {
    if ((error as EtcdError).code === "UNIMPLEMENTED") return false;
    throw error;
  }
}

class EmbeddedSeal implements SourceSeal {
  readonly leasesRunOut = false;
  readonly #options: SealOptions;
  readonly #token: Uint8Array;

  constructor(options: SealOptions) {
    this.#options = options;
    this.#token = Buffer.from(options.secret);
  }

  async prepare(): Promise<void> {
    await Promise.resolve();
  }

  close(): Promise<void> {
    return this.#seal(false);
  }

  handOver(): Promise<void> {
    return this.#seal(true);
  }

  async write(txn: WireTxn): Promise<number | undefined> {
    const bytes = toBinary(TxnRequestSchema, create(TxnRequestSchema, txn));
    const answer = await this.#options.source.call(handover.write, { token: this.#token, txn: bytes });
    const { succeeded } = fromBinary(TxnResponseSchema, answer.txn);
    return succeeded ? Number(answer.header?.revision ?? 0) : undefined;
  }

  async open(): Promise<void> {
    await this.#options.source.call(handover.unseal, { token: this.#token }, { idempotent: true });
  }

  async #seal(handedOver: boolean): Promise<void> {
    const { source, reason, successor } = this.#options;
    const request = { token: this.#token, reason, successor: [...successor], handedOver };
    await source.call(handover.seal, request, { idempotent: true });
  }
}

class ClusterSeal implements SourceSeal {
  readonly leasesRunOut = true;
  readonly #source: EtcdClient;
  readonly #secret: string;

  constructor({ source, secret }: SealOptions) {
    this.#source = source;
    this.#secret = secret;
  }

  async prepare(): Promise<void> {
    if (await hasAuth(this.#source)) return;
    const repeatable = { idempotent: true };
    // What a try before has left behind would have another password.
    await unless("USER_NOT_FOUND", this.#source.call(auth.deleteUser, { name: SEALING_USER }, repeatable));
    const user = { name: SEALING_USER, password: this.#secret };
    await unless("USER_EXISTS", this.#source.call(auth.addUser, user, repeatable));
    await unless("ROLE_EXISTS", this.#source.call(auth.addRole, { name: ROLE }, repeatable));
    await this.#source.call(auth.grantRole, { user: SEALING_USER, role: ROLE }, repeatable);
  }

  async close(): Promise<void> {
    if (!(await hasAuth(this.#source))) await this.#source.call(auth.enable, {}, { idempotent: true });
  }

  async write(txn: WireTxn): Promise<number | undefined> {
    const { succeeded, header } = await this.#source.call(RPC.txn, txn);
    return succeeded ? Number(header?.revision ?? 0) : undefined;
  }

  /** Nobody but the user who sealed it is served: that is all that can be said. */
  async handOver(): Promise<void> {
    await Promise.resolve();
  }

  async open(): Promise<void> {
    if (await hasAuth(this.#source)) await this.#source.call(auth.disable, {}, { idempotent: true });
    const repeatable = { idempotent: true };
    await unless("USER_NOT_FOUND", this.#source.call(auth.deleteUser, { name: SEALING_USER }, repeatable));
    await unless("ROLE_NOT_FOUND", this.#source.call(auth.deleteRole, { role: ROLE }, repeatable));
  }
}

/** Throws MIGRATION_REFUSED if the name that the seal needs is taken. */
export async function checkSealable(client: EtcdClient): Promise<void> {
  const list = rpc(Auth.method.userList);
  const users = await client.call(list, {}, { idempotent: true }).catch((error: unknown) => {
    if ((error as EtcdError).code === "UNIMPLEMENTED") return { users: [] };
    throw error;
  });
  if (users.users.length === 0) return;
  throw new EtcdError(
    "MIGRATION_REFUSED",
    `the source has users (${users.users.slice(0, 5).join(", ")}), which cannot be moved; delete them, or set the target up by hand`,
  );
}

async function unless(code: string, call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if ((error as EtcdError).code !== code) throw error;
  }
}
