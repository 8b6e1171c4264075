// Random calls about users, roles and rights, with reads and writes between them, over few names so that they
// meet. The same seed gives the same calls.
import type { Permission_Type } from "../../../packages/etcd/src/proto/generated/authpb_pb.ts";
import { Auth } from "../../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { KV } from "../../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { unary } from "./auth-calls.ts";
import type { AuthCall } from "./auth-calls.ts";

const USERS = ["root", "root", "u1", "u1", "u2", "u3", "zoë", "\u{10000}", "\uffff", ""];
const ROLES = ["root", "r1", "r1", "r2", "r3", "größe", ""];
const PASSWORDS = ["p", "p", "p", "q", "", "x".repeat(72), "x".repeat(73)];
/** No hash; the hash of "p"; not base64. */
const HASHES = [
  "",
  "",
  "bm9uZQ==",
  Buffer.from("$2a$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW").toString("base64"),
  "?",
  "bm9uZQ",
];
const KEYS = ["", "\0", "a", "b", "c", "b\0", "d"];
const ENDS = ["", "", "", "\0", "b", "c", "d", "a"];

/** A call, and who makes it: a user by its last token, nobody, or somebody with a token that never was. */
export type Step =
  | { readonly kind: "authenticate"; readonly name: string; readonly password: string }
  | { readonly kind: "call"; readonly by: string | undefined; readonly call: AuthCall };

export class RandomAuth {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  next(): Step {
    if (this.#random() < 0.12) {
      return { kind: "authenticate", name: this.#pick(USERS), password: this.#pick(PASSWORDS) };
    }
    const dice = this.#random();
    const by = dice < 0.75 ? "root" : dice < 0.8 ? undefined : dice < 0.82 ? "garbage" : this.#pick(USERS);
    return { kind: "call", by, call: this.#call() };
  }

  #call(): AuthCall {
    const { authDisable, authEnable, authStatus, userAdd, userChangePassword, userDelete } = Auth.method;
    const { userGet, userGrantRole, userList, userRevokeRole, roleAdd, roleDelete, roleGet } = Auth.method;
    const { roleGrantPermission, roleList, roleRevokePermission } = Auth.method;
    const [name, role] = [this.#pick(USERS), this.#pick(ROLES)];
    const [key, rangeEnd] = [Buffer.from(this.#pick(KEYS)), Buffer.from(this.#pick(ENDS))];
    const password = this.#pick(PASSWORDS);
    const hashedPassword = this.#random() < 0.2 ? this.#pick(HASHES) : "";
    const perm = { permType: this.#pick([0, 1, 2]) as Permission_Type, key, rangeEnd };
    const options = this.#random() < 0.5 ? {} : { options: { noPassword: this.#random() < 0.4 } };
    return this.#pick<() => AuthCall>([
      () => unary(userAdd, { name, password, hashedPassword, ...options }),
      () => unary(userAdd, { name, password, ...options }),
      () => unary(userGrantRole, { user: name, role }),
      () => unary(userGrantRole, { user: name, role }),
      () => unary(userGrantRole, { user: "root", role: "root" }),
      () => unary(userRevokeRole, { name, role }),
      () => unary(userDelete, { name }),
      () => unary(userChangePassword, { name, password, hashedPassword }),
      () => unary(userGet, { name }),
      () => unary(userGet, { name }),
      () => unary(userList, {}),
      () => unary(roleAdd, { name: role }),
      () => unary(roleAdd, { name: role }),
      () => unary(roleDelete, { role }),
      () => unary(roleGet, { role }),
      () => unary(roleGet, { role }),
      () => unary(roleList, {}),
      () => unary(roleGrantPermission, { name: role, perm }),
      () => unary(roleGrantPermission, { name: role, perm }),
      () => unary(roleGrantPermission, { name: role, ...(this.#random() < 0.3 ? {} : { perm }) }),
      () => unary(roleRevokePermission, { role, key, rangeEnd }),
      () => unary(authStatus, {}),
      () => unary(authEnable, {}),
      () => unary(authEnable, {}),
      () => (this.#random() < 0.3 ? unary(authDisable, {}) : unary(authStatus, {})),
      () => unary(KV.method.range, { key, rangeEnd, countOnly: true }),
      () => unary(KV.method.range, { key, rangeEnd, countOnly: true }),
      () => unary(KV.method.put, { key, prevKv: this.#random() < 0.3 }),
      () => unary(KV.method.deleteRange, { key, rangeEnd, prevKv: this.#random() < 0.3 }),
    ])();
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
