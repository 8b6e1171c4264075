// What changes users, roles and their rights: etcd's own requests, under the numbers that its raft log gives them
// (etcdserverpb.InternalRaftRequest). They hold hashes of passwords, never passwords.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageShape } from "@bufbuild/protobuf";
import { bytesField, varint, WireError, type WireReader } from "../../keyspace/wire.ts";
import {
  AuthDisableRequestSchema,
  AuthEnableRequestSchema,
  AuthRoleAddRequestSchema,
  AuthRoleDeleteRequestSchema,
  AuthRoleGrantPermissionRequestSchema,
  AuthRoleRevokePermissionRequestSchema,
  AuthUserAddRequestSchema,
  AuthUserChangePasswordRequestSchema,
  AuthUserDeleteRequestSchema,
  AuthUserGrantRoleRequestSchema,
  AuthUserRevokeRoleRequestSchema,
} from "../../proto/generated/etcdserverpb/auth_pb.ts";

const SCHEMAS = {
  enable: AuthEnableRequestSchema,
  disable: AuthDisableRequestSchema,
  userAdd: AuthUserAddRequestSchema,
  userDelete: AuthUserDeleteRequestSchema,
  userChangePassword: AuthUserChangePasswordRequestSchema,
  userGrantRole: AuthUserGrantRoleRequestSchema,
  userRevokeRole: AuthUserRevokeRoleRequestSchema,
  roleAdd: AuthRoleAddRequestSchema,
  roleDelete: AuthRoleDeleteRequestSchema,
  roleGrantPermission: AuthRoleGrantPermissionRequestSchema,
  roleRevokePermission: AuthRoleRevokePermissionRequestSchema,
} as const;

const FIELDS: Readonly<Record<AuthChangeName, number>> = {
  enable: 1000,
  disable: 1011,
  userAdd: 1100,
  userDelete: 1101,
  userChangePassword: 1103,
  userGrantRole: 1104,
  userRevokeRole: 1105,
  roleAdd: 1200,
  roleDelete: 1201,
  roleGrantPermission: 1203,
  roleRevokePermission: 1204,
};

export type AuthChangeName = keyof typeof SCHEMAS;

/** One change and its request. */
export type AuthChange = {
  readonly [N in AuthChangeName]: {
    readonly name: N;
    readonly message: MessageShape<(typeof SCHEMAS)[N]>;
  };
}[AuthChangeName];

const LENGTH_DELIMITED = 2;

/** The bytes that the log keeps of a change. */
export function encodeAuthChange({ name, message }: AuthChange): Uint8Array {
  const tag = varint(FIELDS[name] * 8 + LENGTH_DELIMITED);
  const body = Buffer.from(toBinary(SCHEMAS[name], message as never)).toString("latin1");
  return Buffer.from(bytesField(tag, body), "latin1");
}

/** Reads them again. Throws WireError. */
export function decodeAuthChange(reader: WireReader): AuthChange {
  const field = reader.next();
  const name = (Object.keys(FIELDS) as AuthChangeName[]).find((one) => FIELDS[one] === field);
  if (name === undefined) throw new WireError(`a change of users and roles of the unknown kind ${field}`);
  return authChange(name, Buffer.from(reader.bytes(), "latin1"));
}

/** The change that a client asks for with a request's bytes. Throws WireError. */
export function authChange<N extends AuthChangeName>(
  name: N,
  bytes: Uint8Array,
): Extract<AuthChange, { name: N }> {
  try {
    const message = fromBinary(SCHEMAS[name], bytes);
    return { name, message } as unknown as Extract<AuthChange, { name: N }>;
  } catch (error) {
    throw new WireError(error instanceof Error ? error.message : String(error));
  }
}

/** Whom a change is about, for the log: never a password or its hash. */
export function subjectOf({ message }: AuthChange): Readonly<Record<string, string>> {
  const subject: Record<string, string> = {};
  for (const field of ["name", "user", "role"] as const) {
    const value = (message as Readonly<Record<string, unknown>>)[field];
    if (typeof value === "string") subject[field] = value;
  }
  return subject;
}

/** A request with its password replaced by the hash of it, in base64 as etcd's log has it. */
export function withHash(
  change: Extract<AuthChange, { name: "userAdd" | "userChangePassword" }>,
  hash: string,
): AuthChange {
  const hashedPassword = Buffer.from(hash).toString("base64");
  const { name, message } = change;
  if (name === "userAdd") {
    return { name, message: create(AuthUserAddRequestSchema, { ...message, password: "", hashedPassword }) };
  }
  return {
    name,
    message: create(AuthUserChangePasswordRequestSchema, { ...message, password: "", hashedPassword }),
  };
}
