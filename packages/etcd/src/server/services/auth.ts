import { create } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import {
  AuthenticateRequestSchema,
  AuthenticateResponseSchema,
  AuthRoleGetRequestSchema,
  AuthRoleGetResponseSchema,
  AuthRoleListResponseSchema,
  AuthStatusResponseSchema,
  AuthUserGetRequestSchema,
  AuthUserGetResponseSchema,
  AuthUserListResponseSchema,
} from "../../proto/generated/etcdserverpb/auth_pb.ts";
import { authChange, withHash, type AuthChange, type AuthChangeName } from "../auth/changes.ts";
import type { Passwords } from "../auth/passwords.ts";
import { NOBODY, permitAdmin, type Requester } from "../auth/requester.ts";
import type { TokenProvider } from "../auth/tokens.ts";
import { authCommand } from "../commands.ts";
import { decode, encode } from "../messages/generated.ts";
import type { LogFunction } from "../options.ts";
import type { Call, Method } from "../transport/call.ts";
import type { ServiceContext } from "./context.ts";

export interface AuthServiceOptions {
  readonly tokens: TokenProvider;
  readonly passwords: Passwords;
  readonly log: LogFunction;
}

/** Methods that change something and need nothing but the log. */
const PLAIN_CHANGES: Readonly<Record<string, AuthChangeName>> = {
  AuthEnable: "enable",
  AuthDisable: "disable",
  UserDelete: "userDelete",
  UserGrantRole: "userGrantRole",
  UserRevokeRole: "userRevokeRole",
  RoleAdd: "roleAdd",
  RoleDelete: "roleDelete",
  RoleGrantPermission: "roleGrantPermission",
  RoleRevokePermission: "roleRevokePermission",
};

/** etcdserverpb.Auth. */
export function authService(context: ServiceContext, options: AuthServiceOptions): Record<string, Method> {
  const { store, header, access } = context;
  const { auth, keyspace } = store;
  const { passwords, log } = options;
  const now = (): string => header(keyspace.revision);

  const change = async (request: AuthChange, call: Call): Promise<string> => {
    await store.propose({ ...authCommand(request), by: access.requester(call) });
    return now();
  };
  /** Hashing is work: it is not done for those whose change will be refused. */
  const hashFor = async (call: Call, password: string): Promise<string> => {
    passwords.check(password);
    access.root(call);
    return await passwords.hash(password);
  };
  const forRoot = (answer: () => string): Method => ({
    kind: "unary",
    handle: async (_bytes, call) => {
      access.root(call);
      return await Promise.resolve(now() + answer());
    },
  });
  /** For root, and for those whom the answer is about. */
  const forThose = (call: Call, concerns: (by: Requester) => boolean): void => {
    const by = access.requester(call) ?? NOBODY;
    if (!concerns(by)) permitAdmin(auth, by);
  };

  return {
    ...Object.fromEntries(
      Object.entries(PLAIN_CHANGES).map(([method, name]) => [
        method,
        { kind: "unary", handle: (bytes, call) => change(authChange(name, bytes), call) } satisfies Method,
      ]),
    ),
    AuthStatus: forRoot(() => {
      const { enabled, revision } = auth;
      const authRevision = BigInt(revision);
      return encode(AuthStatusResponseSchema, create(AuthStatusResponseSchema, { enabled, authRevision }));
    }),
    Authenticate: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { name, password } = decode(AuthenticateRequestSchema, bytes);
        const token = await authenticate(context, options, { name, password }).catch((error: unknown) => {
          if (error instanceof EtcdError && error.code === "AUTH_FAILED") {
            log("warn", "somebody could not authenticate", { user: name, from: call.peer.address });
          }
          throw error;
        });
        return now() + encode(AuthenticateResponseSchema, create(AuthenticateResponseSchema, { token }));
      },
    },
    UserAdd: {
      kind: "unary",
      handle: async (bytes, call) => {
        const request = authChange("userAdd", bytes);
        const { options: given, password } = request.message;
        if (given?.noPassword === true) return await change(withHash(request, ""), call);
        return await change(withHash(request, await hashFor(call, password)), call);
      },
    },
    UserChangePassword: {
      kind: "unary",
      handle: async (bytes, call) => {
        const request = authChange("userChangePassword", bytes);
        const { password } = request.message;
        if (password === "") return await change(request, call);
        return await change(withHash(request, await hashFor(call, password)), call);
      },
    },
    UserGet: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { name } = decode(AuthUserGetRequestSchema, bytes);
        forThose(call, ({ user }) => user === name);
        const user = auth.user(name);
        if (user === undefined) throw EtcdError.refusal("USER_NOT_FOUND");
        const answer = create(AuthUserGetResponseSchema, { roles: user.roles });
        return await Promise.resolve(now() + encode(AuthUserGetResponseSchema, answer));
      },
    },
    UserList: forRoot(() => {
      const users = auth.data.users.map(({ name }) => Buffer.from(name).toString());
      return encode(AuthUserListResponseSchema, create(AuthUserListResponseSchema, { users }));
    }),
    RoleGet: {
      kind: "unary",
      handle: async (bytes, call) => {
        const { role: name } = decode(AuthRoleGetRequestSchema, bytes);
        forThose(call, ({ user }) => auth.hasRole(user, name));
        const role = auth.role(name);
        if (role === undefined) throw EtcdError.refusal("ROLE_NOT_FOUND");
        const answer = create(AuthRoleGetResponseSchema, { perm: role.keyPermission });
        return await Promise.resolve(now() + encode(AuthRoleGetResponseSchema, answer));
      },
    },
    RoleList: forRoot(() => {
      const roles = auth.data.roles.map(({ name }) => Buffer.from(name).toString());
      return encode(AuthRoleListResponseSchema, create(AuthRoleListResponseSchema, { roles }));
    }),
  };
}

/** Compares until nothing was changed meanwhile: a password that was replaced just now opens nothing. */
async function authenticate(
  { store }: ServiceContext,
  { passwords, tokens }: AuthServiceOptions,
  { name, password }: { readonly name: string; readonly password: string },
): Promise<string> {
  const { auth } = store;
  for (;;) {
    if (!auth.enabled) throw EtcdError.refusal("AUTH_NOT_ENABLED");
    const user = auth.user(name);
    if (user === undefined) throw EtcdError.refusal("AUTH_FAILED");
    if (user.options?.noPassword === true) {
      const message = "auth: authentication failed, password was given for no password user";
      throw new EtcdError("AUTH_FAILED", message, { grpcStatus: GRPC_STATUS.UNKNOWN });
    }
    const { revision } = auth;
    const isRight = await passwords.matches(password, Buffer.from(user.password).toString("latin1"));
    if (!isRight) throw EtcdError.refusal("AUTH_FAILED");
    if (auth.enabled && auth.revision === revision) return tokens.assign(name, store.appliedIndex);
  }
}
