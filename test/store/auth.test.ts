// Users, roles and permissions: the same calls by the same people on a real etcd 3.5 and on the embedded server,
// every answer compared. KEELSON_TEST_SEED replays a run of random calls.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Auth } from "../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { ADMIN_CALLS, KEY_CALLS, SETUP } from "./support/auth-calls.ts";
import { RawClient } from "./support/raw-client.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";
import type { TestServer } from "./support/servers.ts";

const tools = await etcd35();
const BCRYPT = { flags: ["--bcrypt-cost=4"], auth: { bcryptCost: 4 } };

/** A token of a user of the setup; "garbage" is nobody's. */
async function tokenOf(server: TestServer, user: string | undefined): Promise<string | undefined> {
  if (user === undefined) return undefined;
  if (user === "garbage") return "garbage.1";
  using client = new RawClient(server.address);
  const answer = await client.call(Auth.method.authenticate, { name: user, password: `${user}'s` });
  assert.ok("ok" in answer, `${user} cannot authenticate`);
  return answer.ok.token;
}

describe("users and their rights", { skip: "unavailable" in tools && tools.unavailable }, () => {
  if ("unavailable" in tools) return;

  test("everybody may do what etcd lets them do", async () => {
    await using real = await realEtcd(tools.etcd, BCRYPT.flags);
    await using ours = await embedded({ auth: BCRYPT.auth });
    const servers = [real, ours];
    using realSetup = new RawClient(real.address);
    using ourSetup = new RawClient(ours.address);
    for (const { name, send } of SETUP) assert.deepEqual(await send(ourSetup), await send(realSetup), name);
    for (const user of [undefined, "garbage", "root", "reader", "writer", "user", "stranger"]) {
      const [realToken, ourToken] = await Promise.all(servers.map((server) => tokenOf(server, user)));
      // etcd takes a token under either name.
      const name = user === "user" ? "authorization" : "token";
      const withToken = (token: string | undefined) => ({
        metadata: token === undefined ? {} : { [name]: token },
      });
      using realClient = new RawClient(real.address, withToken(realToken));
      using ourClient = new RawClient(ours.address, withToken(ourToken));
      for (const call of [...KEY_CALLS, ...ADMIN_CALLS]) {
        const [expected, got] = await Promise.all([call.send(realClient), call.send(ourClient)]);
        assert.deepEqual(got, expected, `${user ?? "nobody"}: ${call.name}`);
      }
    }
  });
});
