// How the client says who it is: how often, what it does when its token counts no more, and what it never tells.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { EtcdClient } from "../../src/client/index.ts";
import { rpc } from "../../src/client/rpc.ts";
import { Connection } from "../../src/client/connection.ts";
import { parseEndpoint } from "../../src/client/endpoint.ts";
import { surroundings } from "../../src/client/surroundings.ts";
import { Auth } from "../../src/proto/generated/etcdserverpb/auth_pb.ts";
import { EtcdServer } from "../../src/server/index.ts";
import { failsWith, PATIENCE_MS } from "./expect.ts";
import { enableAuth } from "./test-store.ts";

const auth = { username: "root", password: "correct horse" };

describe("a client with a user", () => {
  let dataDir: string;
  let server: EtcdServer;
  let port: number;
  before(async () => {
    dataDir = await mkdtemp(path.join(tmpdir(), "keelson-login-"));
    server = await EtcdServer.start({
      dataDir,
      listen: [{ host: "127.0.0.1", port: 0 }],
      auth: { bcryptCost: 4 },
    });
    port = server.addresses[0]?.port ?? 0;
  });
  after(async () => {
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const client = (more: object = {}) =>
    new EtcdClient({ endpoints: [`127.0.0.1:${port}`], auth, deadlineMs: PATIENCE_MS, ...more });

  /** Calls of Authenticate that the server has answered. */
  async function authentications(): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const lines = text.matchAll(/^grpc_server_handled_total\{.*grpc_method="Authenticate".*\} (\d+)$/gm);
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Ends all tokens. */
  async function forgetTokens(): Promise<void> {
    await using root = client();
    await root.get("a");
    const endpoint = parseEndpoint(`127.0.0.1:${port}`);
    const connection = await Connection.open(endpoint, surroundings({}), AbortSignal.timeout(PATIENCE_MS));
    const options = { deadlineMs: PATIENCE_MS, needsLeader: true };
    const { username: name, password } = auth;
    const { token } = await connection.unary(rpc(Auth.method.authenticate), { name, password }, options);
    await connection.unary(rpc(Auth.method.authDisable), {}, { ...options, token });
    await connection.unary(rpc(Auth.method.authEnable), {}, options);
    connection.close();
  }

  it("is let in by a store that asks nobody, and goes on when it begins to ask", async () => {
    await using early = client();
    await early.put("a", "1");
    await enableAuth(port, { auth });
    await early.put("a", "2");
    await using stranger = new EtcdClient({ endpoints: [`127.0.0.1:${port}`] });
    await failsWith("USER_EMPTY", stranger.get("a"));
  });

  it("authenticates once for all calls of a connection", async () => {
    await using one = client();
    const before = await authentications();
    await Promise.all(Array.from({ length: 20 }, (_, i) => one.put(`many/${i}`, "")));
    await one.get("a");
    assert.equal((await authentications()) - before, 1);
  });

  it("authenticates again when its token counts no more; writes and watches go on", async () => {
    await using one = client();
    const { revision } = await one.put("again", "1");
    await forgetTokens();
    const before = await authentications();
    await Promise.all([one.put("again/a", "2"), one.put("again/b", "3"), one.get("again")]);
    assert.equal((await authentications()) - before, 1);
    await forgetTokens();
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const told: string[] = [];
    for await (const { events } of one.watch({ prefix: "again" }, { startRevision: revision, signal })) {
      told.push(...events.map(({ kv }) => kv.key));
      if (told.length >= 3) break;
    }
    assert.deepEqual(told.sort(), ["again", "again/a", "again/b"]);
  });

  it("is told that its password is wrong, and nobody is told the password", async () => {
    const lines: unknown[] = [];
    const keep = (...line: unknown[]) => void lines.push(line);
    const wrong = { username: "root", password: "a wrong password" };
    await using one = client({ auth: wrong, log: { warn: keep, info: keep, debug: keep } });
    const error = await failsWith("AUTH_FAILED", one.put("a", "3"));
    const signal = AbortSignal.timeout(PATIENCE_MS);
    await failsWith("AUTH_FAILED", one.watch({ key: "a" }, { signal }).next());
    const shown = inspect([error, lines, one], { depth: 10, showHidden: true });
    assert.ok(!shown.includes(wrong.password), shown);
  });
});
