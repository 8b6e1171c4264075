// Users, roles and whether anybody asks for them: a part of the state that the log makes. Follows
// server/auth/store.go of etcd 3.5, whose authpb messages it keeps. Nothing here hashes or knows a password.
import { create } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import {
  PermissionSchema,
  RoleSchema,
  UserAddOptionsSchema,
  UserSchema,
  type Permission,
  type Role,
  type User,
} from "../../proto/generated/authpb_pb.ts";
import type { AuthChange } from "./changes.ts";
import { rightsOf, type Rights } from "./permissions.ts";

/** The user and the role that may do everything. */
export const ROOT = "root";

/** All of it, as a snapshot keeps it. */
export interface AuthData {
  readonly enabled: boolean;
  readonly revision: number;
  readonly users: readonly User[];
  readonly roles: readonly Role[];
}

export class AuthState {
  #enabled = false;
  #revision = 1;
  readonly #users = new Map<string, User>();
  readonly #roles = new Map<string, Role>();
  /** By user; made anew after every change. */
  readonly #rights = new Map<string, Rights>();

  /** Does the store ask who calls? */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** Goes up with every change of users, roles and rights. */
  get revision(): number {
    return this.#revision;
  }

  user(name: string): User | undefined {
    return this.#users.get(name);
  }

  role(name: string): Role | undefined {
    return this.#roles.get(name);
  }

  /** As plain data; messages in it are never changed. Users and roles are in the order of their names' bytes. */
  get data(): AuthData {
    const sorted = <T>(map: ReadonlyMap<string, T>): readonly T[] =>
      sortedByBytes([...map.keys()]).map((name) => map.get(name) as T);
    return {
      enabled: this.#enabled,
      revision: this.#revision,
      users: sorted(this.#users),
      roles: sorted(this.#roles),
    };
  }

  /** Takes over what a snapshot kept, or another etcd. */
  restore({ enabled, revision, users, roles }: AuthData): void {
    this.#enabled = enabled;
    this.#revision = Math.max(1, revision);
    this.#users.clear();
    this.#roles.clear();
    this.#rights.clear();
    for (const user of users) this.#users.set(textOf(user.name), user);
    for (const role of roles) this.#roles.set(textOf(role.name), role);
  }

  hasRole(userName: string, role: string): boolean {
    return this.#users.get(userName)?.roles.includes(role) ?? false;
  }

  /** What a user may do with keys, by its roles other than root. */
  rights(userName: string): Rights {
    let rights = this.#rights.get(userName);
    if (rights === undefined) {
      const roles = this.#users.get(userName)?.roles ?? [];
      rights = rightsOf(roles.flatMap((role) => this.#roles.get(role)?.keyPermission ?? []));
      this.#rights.set(userName, rights);
    }
    return rights;
  }

  /** Carries a change out. Throws EtcdError if it is refused; nothing has changed then. */
  apply(change: AuthChange): void {
    switch (change.name) {
      case "enable":
        return this.#enable();
      case "disable":
        return this.#disable();
      case "userAdd":
        return this.#userAdd(change.message);
      case "userDelete":
        return this.#userDelete(change.message.name);
      case "userChangePassword":
        return this.#userChangePassword(change.message);
      case "userGrantRole":
        return this.#userGrantRole(change.message);
      case "userRevokeRole":
        return this.#userRevokeRole(change.message);
      case "roleAdd":
        return this.#roleAdd(change.message.name);
      case "roleDelete":
        return this.#roleDelete(change.message.role);
      case "roleGrantPermission":
        return this.#roleGrantPermission(change.message.name, change.message.perm);
      case "roleRevokePermission":
        return this.#roleRevokePermission(change.message);
    }
  }

  #enable(): void {
    if (this.#enabled) return;
    if (!this.#users.has(ROOT)) throw EtcdError.refusal("ROOT_USER_MISSING");
    if (!this.hasRole(ROOT, ROOT)) throw EtcdError.refusal("ROOT_ROLE_MISSING");
    this.#enabled = true;
  }

  #disable(): void {
    if (!this.#enabled) return;
    this.#enabled = false;
    this.#changed();
  }

  #userAdd(request: Extract<AuthChange, { name: "userAdd" }>["message"]): void {
    const { name, options = create(UserAddOptionsSchema), hashedPassword } = request;
    if (name === "") throw EtcdError.refusal("USER_EMPTY");
    if (this.#users.has(name)) throw EtcdError.refusal("USER_EXISTS");
    const password = options.noPassword ? new Uint8Array() : hashOf(hashedPassword);
    this.#users.set(name, create(UserSchema, { name: Buffer.from(name), password, options }));
    this.#changed();
  }

  #userDelete(name: string): void {
    if (this.#enabled && name === ROOT) throw EtcdError.refusal("INVALID_AUTH_MANAGEMENT");
    if (!this.#users.delete(name)) throw EtcdError.refusal("USER_NOT_FOUND");
    this.#changed();
  }

  #userChangePassword(request: { readonly name: string; readonly hashedPassword: string }): void {
    const user = this.#knownUser(request.name);
    const noPassword = user.options?.noPassword ?? false;
    const password = noPassword ? new Uint8Array() : hashOf(request.hashedPassword);
    this.#users.set(request.name, userWith(user, { password }));
    this.#changed();
  }

  #userGrantRole({ user: name, role }: { readonly user: string; readonly role: string }): void {
    const user = this.#knownUser(name);
    if (role !== ROOT && !this.#roles.has(role)) throw EtcdError.refusal("ROLE_NOT_FOUND");
    if (user.roles.includes(role)) return;
    this.#users.set(name, userWith(user, { roles: sortedByBytes([...user.roles, role]) }));
    this.#changed();
  }

  #userRevokeRole({ name, role }: { readonly name: string; readonly role: string }): void {
    if (this.#enabled && name === ROOT && role === ROOT) throw EtcdError.refusal("INVALID_AUTH_MANAGEMENT");
    const user = this.#knownUser(name);
    if (!user.roles.includes(role)) throw EtcdError.refusal("ROLE_NOT_GRANTED");
    this.#users.set(name, withoutRole(user, role));
    this.#changed();
  }

  #roleAdd(name: string): void {
    if (name === "") throw EtcdError.refusal("ROLE_EMPTY");
    if (this.#roles.has(name)) throw EtcdError.refusal("ROLE_EXISTS");
    this.#roles.set(name, create(RoleSchema, { name: Buffer.from(name) }));
    this.#changed();
  }

  #roleDelete(name: string): void {
    if (this.#enabled && name === ROOT) throw EtcdError.refusal("INVALID_AUTH_MANAGEMENT");
    if (!this.#roles.delete(name)) throw EtcdError.refusal("ROLE_NOT_FOUND");
    for (const [key, user] of this.#users) {
      if (user.roles.includes(name)) this.#users.set(key, withoutRole(user, name));
    }
    this.#changed();
  }

  #roleGrantPermission(name: string, given: Permission | undefined): void {
    if (given === undefined) throw EtcdError.refusal("PERMISSION_NOT_GIVEN");
    const { permType, key, rangeEnd } = given;
    if (!isRange(key, rangeEnd)) throw EtcdError.refusal("INVALID_AUTH_MANAGEMENT");
    const role = this.#knownRole(name);
    const permission = create(PermissionSchema, { permType, key, rangeEnd });
    // As etcd does, only the first permission of a key is looked at; another one of the same range is added.
    const place = role.keyPermission.findIndex((one) => Buffer.compare(one.key, key) >= 0);
    const found = role.keyPermission[place];
    const kept =
      found !== undefined && isSameRange(found, permission)
        ? role.keyPermission.with(place, permission)
        : [...role.keyPermission, permission].sort((a, b) => Buffer.compare(a.key, b.key));
    this.#roles.set(name, roleWith(role, kept));
    this.#changed();
  }

  #roleRevokePermission(request: Extract<AuthChange, { name: "roleRevokePermission" }>["message"]): void {
    const role = this.#knownRole(request.role);
    const kept = role.keyPermission.filter((permission) => !isSameRange(permission, request));
    if (kept.length === role.keyPermission.length) throw EtcdError.refusal("PERMISSION_NOT_GRANTED");
    this.#roles.set(request.role, roleWith(role, kept));
    this.#changed();
  }

  #knownUser(name: string): User {
    const user = this.#users.get(name);
    if (user === undefined) throw EtcdError.refusal("USER_NOT_FOUND");
    return user;
  }

  #knownRole(name: string): Role {
    const role = this.#roles.get(name);
    if (role === undefined) throw EtcdError.refusal("ROLE_NOT_FOUND");
    return role;
  }

  #changed(): void {
    this.#revision++;
    this.#rights.clear();
  }
}

type KeyBytes = Pick<Permission, "key" | "rangeEnd">;

function isSameRange(a: KeyBytes, b: KeyBytes): boolean {
  return Buffer.compare(a.key, b.key) === 0 && Buffer.compare(a.rangeEnd, b.rangeEnd) === 0;
}

/** Is there a key that a permission could be for? */
function isRange(key: Uint8Array, rangeEnd: Uint8Array): boolean {
  if (key.length === 0) return false;
  const isOpen = rangeEnd.length === 0 || (rangeEnd.length === 1 && rangeEnd[0] === 0);
  return isOpen || Buffer.compare(key, rangeEnd) < 0;
}

function userWith(user: User, changed: { readonly password?: Uint8Array; readonly roles?: string[] }): User {
  const { name, password, roles } = { ...user, ...changed };
  return create(UserSchema, { name, password, roles, options: user.options ?? create(UserAddOptionsSchema) });
}

function withoutRole(user: User, role: string): User {
  return userWith(user, { roles: user.roles.filter((one) => one !== role) });
}

function roleWith({ name }: Role, keyPermission: Permission[]): Role {
  return create(RoleSchema, { name, keyPermission });
}

/** The hash that a request carries in base64. */
function hashOf(base64: string): Uint8Array {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.toString("base64") !== base64) {
    const message = "auth: authentication failed, password was given for no password user";
    throw new EtcdError("AUTH_FAILED", message, { grpcStatus: GRPC_STATUS.UNKNOWN });
  }
  return bytes;
}

/** As Go sorts strings. */
export function sortedByBytes(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString("utf8");
}
