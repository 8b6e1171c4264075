// Users, roles and permissions: the same calls by the same people on a real etcd 3.5 and on the embedded server,
// every answer compared. KEELSON_TEST_SEED replays a run of random calls.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdServer } from "../../packages/etcd/src/server/index.ts";
import { Auth } from "../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { ADMIN_CALLS, KEY_CALLS, NOT_FOR_ROOT, SETUP, unary } from "./support/auth-calls.ts";
import { plain, RawClient } from "./support/raw-client.ts";
import { RandomAuth } from "./support/random-auth.ts";
import type { Step } from "./support/random-auth.ts";
import { seeded } from "../../packages/etcd/test/seeded.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";
import type { TestServer } from "./support/servers.ts";
import { Watching } from "./support/watching.ts";

const tools = await etcd35();
/** etcd shows a deleted user until its next commit, a tenth of a second later: so it is to commit at once. */
const BCRYPT = { flags: ["--bcrypt-cost=4", "--backend-batch-limit=1"], auth: { bcryptCost: 4 } };

const SEED = Number(process.env["KEELSON_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const STEPS = Number(process.env["KEELSON_TEST_REQUESTS"] ?? 1500);

/** A token of a user of the setup; "garbage" is nobody's. */
async function tokenOf(
  server: { readonly address: string },
  user: string | undefined,
): Promise<string | undefined> {
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
      const calls = [...KEY_CALLS, ...ADMIN_CALLS, ...(user === "root" ? [] : NOT_FOR_ROOT)];
      for (const call of calls) {
        const [expected, got] = await Promise.all([call.send(realClient), call.send(ourClient)]);
        assert.deepEqual(got, expected, `${user ?? "nobody"}: ${call.name}`);
      }
    }
  });

  const kinds = {
    simple: () => ({ flags: BCRYPT.flags, auth: BCRYPT.auth }),
    jwt: (directory: string) => {
      const token = `jwt,sign-method=HS256,priv-key=${join(directory, "key")},ttl=10m`;
      return { flags: [...BCRYPT.flags, `--auth-token=${token}`], auth: { ...BCRYPT.auth, token } };
    },
  };
  for (const [kind, configuration] of Object.entries(kinds)) {
    test(`random calls about users are answered as etcd answers them, with ${kind} tokens`, async (t) => {
      t.diagnostic(`KEELSON_TEST_SEED=${SEED}`);
      const directory = await mkdtemp(join(tmpdir(), "keelson-auth-"));
      t.after(() => rm(directory, { recursive: true, force: true }));
      await writeFile(join(directory, "key"), "a secret that both know");
      const { flags, auth } = configuration(directory);
      await using real = await realEtcd(tools.etcd, flags);
      await using ours = await embedded({ auth });
      using callers = new Callers([real, ours]);
      const random = new RandomAuth(seeded(SEED));
      for (let place = 0; place < STEPS; place++) {
        const step = random.next();
        const [expected, got] = await callers.take(step);
        assert.deepEqual(got, expected, `step ${place} of seed ${SEED}: ${shown(step)}`);
      }
    });
  }

  for (const [method, key] of [
    ["RS256", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["PS512", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ES384", () => generateKeyPairSync("ec", { namedCurve: "secp384r1" })],
  ] as const) {
    test(`tokens signed with ${method} are good on either server`, async (t) => {
      const directory = await mkdtemp(join(tmpdir(), "keelson-auth-"));
      t.after(() => rm(directory, { recursive: true, force: true }));
      const pair = key();
      const [pub, priv] = [join(directory, "pub.pem"), join(directory, "key.pem")];
      await writeFile(pub, pair.publicKey.export({ type: "spki", format: "pem" }));
      await writeFile(priv, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
      const token = `jwt,sign-method=${method},pub-key=${pub},priv-key=${priv},ttl=10m`;
      await using real = await realEtcd(tools.etcd, [...BCRYPT.flags, `--auth-token=${token}`]);
      await using ours = await embedded({ auth: { ...BCRYPT.auth, token } });
      for (const server of [real, ours]) {
        using client = new RawClient(server.address);
        for (const { send } of SETUP) await send(client);
      }
      const read = unary(KV.method.range, { key: Buffer.from("b"), countOnly: true });
      for (const [maker, taker] of [
        [real, ours],
        [ours, real],
      ] as const) {
        const metadata = { token: (await tokenOf(maker, "reader")) ?? "" };
        using client = new RawClient(taker.address, { metadata });
        assert.deepEqual(await read.send(client), { header: { revision: "7" }, count: "1" });
      }
    });
  }
});

describe("users of the embedded server", () => {
  for (const snapshotCount of [100_000, 10]) {
    test(`outlive it, with a snapshot every ${snapshotCount} changes; simple tokens do not`, async (t) => {
      const dataDir = await mkdtemp(join(tmpdir(), "keelson-auth-"));
      t.after(() => rm(dataDir, { recursive: true, force: true }));
      const start = () =>
        EtcdServer.start({
          dataDir,
          listen: [{ host: "127.0.0.1", port: 0 }],
          auth: BCRYPT.auth,
          limits: { snapshotCount },
        });
      const addressOf = (server: EtcdServer) => `127.0.0.1:${server.addresses[0]?.port}`;
      let token: string | undefined;
      {
        await using server = await start();
        using client = new RawClient(addressOf(server));
        for (const { send } of SETUP) await send(client);
        token = await tokenOf({ address: addressOf(server) }, "reader");
      }
      await using server = await start();
      const address = addressOf(server);
      const read = unary(KV.method.range, { key: Buffer.from("b"), countOnly: true });
      const ask = async (metadata: Record<string, string>): Promise<unknown> => {
        using client = new RawClient(address, { metadata });
        return await read.send(client);
      };
      assert.deepEqual(await ask({}), { refused: { code: 3, message: "etcdserver: user name is empty" } });
      assert.deepEqual(await ask({ token: token ?? "" }), {
        refused: { code: 16, message: "etcdserver: invalid auth token" },
      });
      const again = (await tokenOf({ address }, "reader")) ?? "";
      assert.deepEqual((await ask({ token: again })) as { count?: string }, {
        header: { revision: "7" },
        count: "1",
      });
    });
  }

  test("are in the log of the server by name, and their passwords and tokens are not", async () => {
    const lines: string[] = [];
    const log = (...line: unknown[]) => void lines.push(JSON.stringify(line));
    await using server = await embedded({ auth: BCRYPT.auth, log });
    using client = new RawClient(server.address);
    for (const { send } of SETUP) await send(client);
    const token = await tokenOf(server, "reader");
    await client.call(Auth.method.authenticate, { name: "reader", password: "a guess" });
    const text = lines.join("\n");
    assert.match(text, /"users or rights were changed",\{"change":"userAdd","name":"reader","by":""\}/);
    assert.match(
      text,
      /"warn","somebody could not authenticate",\{"user":"reader","from":"127\.0\.0\.1:\d+"\}/,
    );
    for (const secret of ["reader's", "a guess", "$2a$", Buffer.from("$2a$").toString("base64"), token ?? ""])
      assert.ok(!text.includes(secret), secret);
  });

  test("may watch only what they may read, also without an end", async () => {
    await using server = await embedded({ auth: BCRYPT.auth });
    using client = new RawClient(server.address);
    for (const { send } of SETUP) await send(client);
    using reader = new RawClient(server.address, {
      metadata: { token: (await tokenOf(server, "reader")) ?? "" },
    });
    const watching = new Watching(reader);
    // etcd 3.5.16 takes the first for a watch of the key alone, when it looks at rights.
    watching.create({ key: Buffer.from("b"), rangeEnd: Buffer.of(0) });
    watching.create({ key: Buffer.from("b"), rangeEnd: Buffer.from("d") });
    await watching.until(() => watching.controls() === 2);
    assert.deepEqual(
      watching.responses.map(({ watchId, canceled, cancelReason }) => ({ watchId, canceled, cancelReason })),
      [
        {
          watchId: -1n,
          canceled: true,
          cancelReason: "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
        },
        { watchId: 0n, canceled: false, cancelReason: "" },
      ],
    );
    watching.close();
  });
});

function shown(step: Step): string {
  return step.kind === "call" ? `${step.by ?? "nobody"}: ${step.call.name}` : JSON.stringify(step);
}

/** The same people before both servers, each with the tokens that each server gave out. */
class Callers implements Disposable {
  readonly #servers: readonly TestServer[];
  readonly #clients = new Map<string, readonly RawClient[]>();
  readonly #nobody: readonly RawClient[];

  constructor(servers: readonly TestServer[]) {
    this.#servers = servers;
    this.#nobody = servers.map(({ address }) => new RawClient(address));
    this.#knows("garbage", ["garbage.1", "garbage.1"]);
  }

  /** What both servers answer. */
  async take(step: Step): Promise<readonly unknown[]> {
    if (step.kind === "call") {
      const clients = this.#clients.get(step.by ?? "") ?? this.#nobody;
      return await Promise.all(clients.map((client) => step.call.send(client)));
    }
    const { name, password } = step;
    const { authenticate } = Auth.method;
    const answers = await Promise.all(
      this.#nobody.map((client) => client.call(authenticate, { name, password })),
    );
    const tokens = answers.map((answer) => ("ok" in answer ? answer.ok.token : undefined));
    if (tokens.every((token) => token !== undefined)) this.#knows(name, tokens);
    for (const answer of answers) if ("ok" in answer) answer.ok.token = shapeOf(answer.ok.token);
    return answers.map((answer) => plain(authenticate, answer));
  }

  [Symbol.dispose](): void {
    for (const client of [...this.#nobody, ...[...this.#clients.values()].flat()]) client[Symbol.dispose]();
  }

  #knows(name: string, tokens: readonly string[]): void {
    for (const client of this.#clients.get(name) ?? []) client[Symbol.dispose]();
    const clients = this.#servers.map(
      ({ address }, place) => new RawClient(address, { metadata: { token: tokens[place] ?? "" } }),
    );
    this.#clients.set(name, clients);
  }
}

/** What two tokens for the same person have in common. */
function shapeOf(token: string): string {
  if (/^[A-Za-z]{16}\.\d+$/.test(token)) return "simple";
  const [head = "", claims = ""] = token.split(".");
  const text = (part: string): string => Buffer.from(part, "base64url").toString();
  return text(head) + text(claims).replace(/"exp":\d+/, "");
}
