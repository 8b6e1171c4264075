// The common name of a client's certificate as its user: by whom, with what else, and by the JSON gateway, as with
// a real etcd 3.5.
import assert from "node:assert/strict";
import { request } from "node:https";
import { after, before, describe, test } from "node:test";
import { credentials } from "@grpc/grpc-js";
import type { ChannelCredentials } from "@grpc/grpc-js";
import type { Certificate } from "../../packages/etcd/test/certificates.ts";
import { Authority, noOpenssl } from "../../packages/etcd/test/certificates.ts";
import { Auth } from "../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { ADMIN_CALLS, KEY_CALLS, NOT_FOR_ROOT, SETUP } from "./support/auth-calls.ts";
import { RawClient } from "./support/raw-client.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";
import type { TestServer } from "./support/servers.ts";

const tools = await etcd35();
const skip = ("unavailable" in tools && tools.unavailable) || noOpenssl;

describe("client certificates", { skip }, () => {
  if ("unavailable" in tools) return;
  let authority: Authority;
  let certificates: ReadonlyMap<string, Certificate>;
  let real: TestServer;
  let ours: TestServer;

  before(async () => {
    authority = await Authority.make();
    const server = await authority.server("server");
    const names = ["root", "reader", "user", "unknown"];
    const made = names.map(async (name) => [name, await authority.client(name)] as const);
    certificates = new Map([
      ...(await Promise.all(made)),
      ["nameless", await authority.client("nameless", "")] as const,
    ]);
    const { certFile, keyFile } = server;
    const trustedCaFile = authority.certificate.certFile;
    const flags = [
      `--cert-file=${certFile}`,
      `--key-file=${keyFile}`,
      `--trusted-ca-file=${trustedCaFile}`,
      "--client-cert-auth",
      "--bcrypt-cost=4",
    ];
    real = await realEtcd(tools.etcd, flags, by("root"));
    const tls = { certFile, keyFile, trustedCaFile, clientCertAuth: true };
    ours = await embedded({ listen: [{ host: "127.0.0.1", port: 0, tls }], auth: { bcryptCost: 4 } });
    for (const { name, send } of SETUP) {
      const [expected, got] = await both({ credentials: by("root") }, send);
      assert.deepEqual(got, expected, name);
    }
  });
  after(async () => {
    for (const part of [ours, real, authority]) await part?.[Symbol.asyncDispose]();
  });

  const by = (name: string): ChannelCredentials => {
    const { cert, key } = certificates.get(name) as Certificate;
    return credentials.createSsl(Buffer.from(authority.ca), Buffer.from(key), Buffer.from(cert));
  };
  const both = <T>(
    options: ConstructorParameters<typeof RawClient>[1],
    ask: (client: RawClient) => Promise<T>,
  ): Promise<readonly T[]> =>
    Promise.all(
      [real, ours].map(async ({ address }) => {
        using client = new RawClient(address, options);
        return await ask(client);
      }),
    );

  for (const [name, metadata] of [
    ["root", {}],
    ["reader", {}],
    ["user", {}],
    ["unknown", {}],
    ["root", { token: "garbage.1" }],
    ["root", { "grpcgateway-accept": "application/json" }],
  ] as const) {
    const more = Object.keys(metadata)
      .map((key) => ` with ${key}`)
      .join();
    test(`${name} may do with a certificate${more} what etcd lets them do`, async () => {
      const options = { credentials: by(name), metadata };
      using realClient = new RawClient(real.address, options);
      using ourClient = new RawClient(ours.address, options);
      const isRoot = name === "root" && more === "";
      for (const call of [...KEY_CALLS, ...ADMIN_CALLS, ...(isRoot ? [] : NOT_FOR_ROOT)]) {
        const [expected, got] = await Promise.all([call.send(realClient), call.send(ourClient)]);
        assert.deepEqual(got, expected, call.name);
      }
    });
  }

  test("a token counts more than a certificate", async () => {
    const { authenticate, userList } = Auth.method;
    const answers = await both({ credentials: by("root") }, async (client) => {
      const answer = await client.call(authenticate, { name: "reader", password: "reader's" });
      assert.ok("ok" in answer);
      const options = { credentials: by("root"), metadata: { token: answer.ok.token } };
      using asReader = new RawClient(client.address, options);
      return await asReader.call(userList, {});
    });
    const denied = { refused: { code: 7, message: "etcdserver: permission denied" } };
    assert.deepEqual(answers, [denied, denied]);
  });

  test("the gateway takes tokens, and no certificate for a user", async () => {
    const ask = (server: TestServer, path: string, body: unknown, authorization?: string) =>
      post(server.address, {
        path,
        body,
        authorization,
        by: "nameless",
      });
    const answers = await Promise.all(
      [real, ours].map(async (server) => {
        const range = { key: Buffer.from("a").toString("base64") };
        const account = { name: "root", password: "root's" };
        const { token } = (await ask(server, "/v3/auth/authenticate", account)).body as { token: string };
        return {
          none: await ask(server, "/v3/kv/range", range),
          wrong: await ask(server, "/v3/kv/range", range, "garbage.1"),
          right: (await ask(server, "/v3/kv/range", range, token)).status,
          failed: await ask(server, "/v3/auth/authenticate", { ...account, password: "?" }),
          named: await post(server.address, { path: "/v3/kv/range", body: range, by: "root" }),
        };
      }),
    );
    // Debian's etcd is built with another gateway, which names no `error`.
    const [expected, got] = answers.map(({ none, wrong, right, failed, named }) => [
      right,
      named,
      ...[none, wrong, failed].map(({ status, body }) => {
        const { code, message } = body as { code: number; message: string };
        return { status, code, message };
      }),
    ]);
    assert.deepEqual(got, expected);
    assert.equal(got?.[0], 200);
  });

  /** One request over HTTP/1.1. */
  function post(
    address: string,
    given: {
      readonly path: string;
      readonly body: unknown;
      readonly authorization?: string | undefined;
      readonly by: string;
    },
  ): Promise<{ readonly status: number | undefined; readonly body: unknown }> {
    const { cert, key } = certificates.get(given.by) as Certificate;
    const { authorization } = given;
    // Without "accept" etcd takes the gateway's own certificate for the caller's.
    const accept = { accept: "application/json" };
    const headers = authorization === undefined ? accept : { ...accept, authorization };
    return new Promise((resolve, reject) => {
      const asking = request(
        `https://${address}${given.path}`,
        { method: "POST", ca: authority.ca, cert, key, headers, agent: false },
        (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => (text += chunk.toString()));
          response.on("end", () => {
            const body: unknown = text.startsWith("{") ? JSON.parse(text) : text;
            resolve({ status: response.statusCode, body });
          });
        },
      );
      asking.on("error", reject);
      asking.end(JSON.stringify(given.body));
    });
  }
});
