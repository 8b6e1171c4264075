// Users, roles and rights of a server: what survives it, what takes effect when, and where it is stricter than
// etcd 3.5.16.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { EtcdError } from "../../../src/errors.ts";
import { WireError, WireReader } from "../../../src/keyspace/wire.ts";
import { RoleSchema, UserSchema } from "../../../src/proto/generated/authpb_pb.ts";
import {
  AuthEnableRequestSchema,
  AuthRoleAddRequestSchema,
  AuthRoleGrantPermissionRequestSchema,
  AuthUserAddRequestSchema,
  AuthUserGrantRoleRequestSchema,
} from "../../../src/proto/generated/etcdserverpb/auth_pb.ts";
import { RequestOpSchema, TxnRequestSchema } from "../../../src/proto/generated/etcdserverpb/kv_pb.ts";
import type { AuthChange } from "../../../src/server/auth/changes.ts";
import { authCommand, fromRecord, toRecord } from "../../../src/server/commands.ts";
import type { Command } from "../../../src/server/commands.ts";
import { readTxn } from "../../../src/server/messages/kv.ts";
import { StateRestore, snapshotChunks } from "../../../src/server/state-snapshot.ts";
import { StoreState } from "../../../src/server/state.ts";

const bytes = (text: string) => Buffer.from(text);
const roleAdd = (name: string): AuthChange => ({
  name: "roleAdd",
  message: create(AuthRoleAddRequestSchema, { name }),
});
const userAdd = (name: string): AuthChange => ({
  name: "userAdd",
  message: create(AuthUserAddRequestSchema, { name, hashedPassword: "aGFzaA==" }),
});
const grantRole = (user: string, role: string): AuthChange => ({
  name: "userGrantRole",
  message: create(AuthUserGrantRoleRequestSchema, { user, role }),
});
const grantPermission = (name: string, permType: 0 | 1 | 2, key: string, rangeEnd = ""): AuthChange => ({
  name: "roleGrantPermission",
  message: create(AuthRoleGrantPermissionRequestSchema, {
    name,
    perm: { permType, key: bytes(key), rangeEnd: bytes(rangeEnd) },
  }),
});
const ENABLE: AuthChange = { name: "enable", message: create(AuthEnableRequestSchema) };
const ROOT_EXISTS = [userAdd("root"), grantRole("root", "root")];

/** A state in which "writer" may write "a", "reader" may read it, and users are asked for. */
function guarded(): StoreState {
  const state = new StoreState();
  for (const request of [
    ...ROOT_EXISTS,
    roleAdd("write"),
    grantPermission("write", 1, "a", "b"),
    userAdd("writer"),
    grantRole("writer", "write"),
    roleAdd("read"),
    grantPermission("read", 0, "a", "b"),
    userAdd("reader"),
    grantRole("reader", "read"),
    ENABLE,
  ])
    state.apply(authCommand(request));
  return state;
}

const put = (key: string, more: { lease?: bigint; prevKv?: boolean } = {}): Command => {
  const request = {
    key,
    value: "",
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    ...more,
  };
  return { kind: "put", request, body: bytes("") };
};
const by = (state: StoreState, user: string) => ({ user, revision: state.auth.revision });
const refuses = (code: string, run: () => unknown) => assert.throws(run, { code });

describe("users in the state", () => {
  it("are the same after the log was read again, and after a snapshot (property)", () => {
    const name = fc.constantFrom("root", "u", "zoë", "");
    const change: fc.Arbitrary<AuthChange> = fc.oneof(
      name.map(userAdd),
      name.map(roleAdd),
      fc.tuple(name, name).map(([user, role]) => grantRole(user, role)),
      fc
        .tuple(name, fc.constantFrom("a", "b"), fc.constantFrom("", "\0", "c"))
        .map(([role, key, end]) => grantPermission(role, 2, key, end)),
      fc.constant(ENABLE),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const state = new StoreState();
        const again = new StoreState();
        for (const request of changes) {
          const command: Command = { ...authCommand(request), by: by(state, "root") };
          const refusal = refusalOf(() => state.apply(command));
          const recorded = fromRecord(toRecord(command));
          assert.equal(
            refusalOf(() => again.apply(recorded)),
            refusal,
          );
        }
        assert.deepEqual(encoded(again), encoded(state));
        const restored = new StoreState();
        const restore = new StateRestore(restored);
        for (const chunk of snapshotChunks(state)) restore.take(chunk);
        assert.deepEqual(encoded(restored), encoded(state));
      }),
      { numRuns: 100 },
    );
  });

  it("are etcd's own messages, in the order of their names' bytes", () => {
    const { users } = guarded().auth.data;
    assert.deepEqual(
      users.map(({ name }) => Buffer.from(name).toString()),
      ["reader", "root", "writer"],
    );
    assert.equal(Buffer.from(users[1]?.password ?? []).toString(), "hash");
    assert.deepEqual(users[1]?.roles, ["root"]);
    assert.equal(users[1]?.options?.noPassword, false);
  });

  it("never make a record unreadable in another way than as damage (property)", () => {
    fc.assert(
      fc.property(fc.constantFrom(9, 10), fc.uint8Array({ maxLength: 40 }), (kind, body) => {
        try {
          fromRecord({ kind, body });
        } catch (error) {
          assert.ok(error instanceof WireError || error instanceof EtcdError, String(error));
        }
      }),
    );
  });
});

describe("rights", () => {
  it("are those of the moment in which a change is carried out", () => {
    const state = guarded();
    const early = by(state, "writer");
    state.apply({ ...put("a"), by: early });
    state.apply({ ...authCommand(roleAdd("another")), by: by(state, "root") });
    refuses("AUTH_OLD_REVISION", () => state.apply({ ...put("a"), by: early }));
    state.apply({ ...put("a"), by: by(state, "writer") });
    refuses("ACCESS_DENIED", () => state.apply({ ...put("b"), by: by(state, "writer") }));
    refuses("ACCESS_DENIED", () => state.apply({ ...put("a"), by: by(state, "nobody") }));
    // Proposed before users were asked for.
    refuses("USER_EMPTY", () => state.apply(put("a")));
    refuses("USER_EMPTY", () => state.apply(authCommand(roleAdd("r"))));
    refuses("ACCESS_DENIED", () => state.apply({ ...authCommand(roleAdd("r")), by: by(state, "writer") }));
  });

  it("to end a lease are those to its keys", () => {
    const state = guarded();
    const root = by(state, "root");
    state.apply({ kind: "grant", request: { id: 1n, ttl: 10 } });
    state.apply({ ...put("a", { lease: 1n }), by: root });
    state.apply({ ...put("a1", { lease: 1n }), by: by(state, "writer") });
    refuses("ACCESS_DENIED", () =>
      state.apply({ kind: "revoke", request: { id: 1n }, by: by(state, "reader") }),
    );
    state.apply({ kind: "revoke", request: { id: 1n }, by: by(state, "writer") });
    assert.equal(state.keyspace.liveKeys, 0);
  });
});

describe("rights that etcd 3.5.16 forgets to ask for", () => {
  const txn = (
    success: Parameters<typeof create<typeof RequestOpSchema>>[1][],
    compare: object[] = [],
  ): Command => {
    const body = Buffer.from(
      toBinary(
        TxnRequestSchema,
        create(TxnRequestSchema, { success: success as never, compare: compare as never }),
      ),
    );
    return { kind: "txn", request: readTxn(new WireReader(body)), body };
  };
  const putOp = (key: string, more: object = {}) => ({
    request: { case: "requestPut", value: { key: bytes(key), ...more } },
  });

  it("are needed inside of transactions inside of transactions", () => {
    const state = guarded();
    const inner = (operation: object) =>
      txn([{ request: { case: "requestTxn", value: { success: [operation] } } }] as never);
    state.apply({ ...inner(putOp("a")), by: by(state, "writer") });
    refuses("ACCESS_DENIED", () => state.apply({ ...inner(putOp("b")), by: by(state, "writer") }));
  });

  it("are needed to see what a put in a transaction replaces, and to hang its key on others' leases", () => {
    const state = guarded();
    const one = (more: object) => ({ ...txn([putOp("a", more)] as never), by: by(state, "writer") });
    state.apply(one({}));
    refuses("ACCESS_DENIED", () => state.apply(one({ prevKv: true })));
    state.apply({ kind: "grant", request: { id: 1n, ttl: 10 } });
    state.apply({ ...put("b", { lease: 1n }), by: by(state, "root") });
    refuses("ACCESS_DENIED", () => state.apply(one({ lease: 1n })));
  });
});

/** Users and roles as the bytes that etcd would keep of them. */
function encoded({ auth }: StoreState) {
  const { users, roles, ...rest } = auth.data;
  const hex = (message: Uint8Array) => Buffer.from(message).toString("hex");
  return {
    ...rest,
    users: users.map((user) => hex(toBinary(UserSchema, user))),
    roles: roles.map((role) => hex(toBinary(RoleSchema, role))),
  };
}

function refusalOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as EtcdError).code;
  }
}
