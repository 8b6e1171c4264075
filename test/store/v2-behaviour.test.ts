// What random histories do not reach: requests that wait for what is to come, times to live, and what else is below
// /v2. Where it can be, on a real etcd 3.4 as well.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { EtcdClient } from "../../packages/etcd/src/client/index.ts";
import { Permission_Type } from "../../packages/etcd/src/proto/generated/authpb_pb.ts";
import { Auth } from "../../packages/etcd/src/proto/generated/etcdserverpb/auth_pb.ts";
import { RawClient } from "./support/raw-client.ts";
import { embedded, PATIENCE_MS, realEtcd } from "./support/servers.ts";
import type { TestServer } from "./support/servers.ts";
import { V2Client } from "./support/v2-client.ts";
import type { Body } from "./support/v2-comparison.ts";

const version = await promisify(execFile)("etcd", ["--version"]).then(
  ({ stdout }) => stdout,
  () => "",
);
const skip = /etcd Version: 3\.4/.test(version) ? false : "no etcd 3.4 here: it is the last that serves v2";

const servers = {
  ours: { skip: false, start: () => embedded() },
  "etcd 3.4": { skip, start: () => realEtcd("etcd", ["--enable-v2"]) },
} as const;

const form = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString();

class Api implements Disposable {
  readonly client: V2Client;

  constructor(server: TestServer) {
    this.client = new V2Client(server.address);
  }

  async put(path: string, fields: Readonly<Record<string, string>>): Promise<Body> {
    return this.#body("PUT", path, form(fields));
  }

  async get(path: string): Promise<Body> {
    return this.#body("GET", path);
  }

  async delete(path: string): Promise<Body> {
    return this.#body("DELETE", path);
  }

  /** Resolves when the request waits; then with what it is told. */
  async wait(path: string): Promise<{ readonly index: number; readonly told: Promise<readonly Body[]> }> {
    const response = await this.client.open({ method: "GET", path: `/v2/keys${path}` }, this.#never);
    const read = async (): Promise<readonly Body[]> => {
      let body = "";
      for await (const chunk of response) body += String(chunk);
      return body
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Body);
    };
    return { index: Number(response.headers["x-etcd-index"]), told: read() };
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }

  readonly #never = new AbortController().signal;

  async #body(method: string, path: string, body?: string): Promise<Body> {
    const call = { method, path: `/v2/keys${path}`, ...(body === undefined ? {} : { form: body }) };
    return JSON.parse((await this.client.call(call)).body) as Body;
  }
}

/** What a client sees of an event, without indexes and times. */
function seen({ action, node, prevNode }: Body) {
  const of = (one: Body["node"]) =>
    one && {
      key: one.key,
      value: one.value,
      dir: one.dir,
      ttl: one.ttl,
      expires: one.expiration !== undefined,
    };
  return { action, node: of(node), prevNode: of(prevNode) };
}

for (const [name, { skip: reason, start }] of Object.entries(servers)) {
  describe(`the keys API of ${name}`, { skip: reason, concurrency: false }, () => {
    test("tells those who wait what happens to a key, and above and below it", async () => {
      await using server = await start();
      using api = new Api(server);
      await api.put("/a/b/c", { value: "0" });
      const exact = await api.wait("/a/b/c?wait=true");
      const above = await api.wait("/a?wait=true&recursive=true");
      const root = await api.wait("/?wait=true&recursive=true");
      await api.put("/elsewhere", { value: "1" });
      await api.put("/a/_hidden", { value: "2" });
      await api.put("/a/b/c", { value: "3" });
      const change = { key: "/a/b/c", value: "3", dir: undefined, ttl: undefined, expires: false };
      const event = { action: "set", node: change, prevNode: { ...change, value: "0" } };
      assert.deepEqual((await exact.told).map(seen), [event]);
      assert.deepEqual((await above.told).map(seen), [event]);
      const [first] = await root.told;
      assert.equal(first?.node?.key, "/elsewhere");
    });

    test("tells those who wait below a directory that it went", async () => {
      await using server = await start();
      using api = new Api(server);
      await api.put("/d/e/f", { value: "0" });
      const file = await api.wait("/d/e/f?wait=true");
      const directory = await api.wait("/d/e?wait=true");
      await api.delete("/d?recursive=true");
      const node = { key: "/d", value: undefined, dir: true, ttl: undefined, expires: false };
      const event = { action: "delete", node, prevNode: node };
      assert.deepEqual((await file.told).map(seen), [event]);
      assert.deepEqual((await directory.told).map(seen), [event]);
    });

    test("lets keys expire, and says so", async () => {
      await using server = await start();
      using api = new Api(server);
      await api.put("/t/short", { value: "x", ttl: "1" });
      const live = await api.wait("/t?wait=true&recursive=true");
      const [event] = await live.told;
      assert.equal(event?.action, "expire");
      assert.deepEqual(seen(event as Body), {
        action: "expire",
        node: { key: "/t/short", value: undefined, dir: undefined, ttl: undefined, expires: false },
        prevNode: { key: "/t/short", value: "x", dir: undefined, ttl: undefined, expires: true },
      });
      const past = await api.wait(`/t/short?wait=true&waitIndex=${event?.node?.modifiedIndex}`);
      assert.deepEqual(await past.told, [event]);
      assert.equal((await api.get("/t/short")).errorCode, 100);
      assert.equal((await api.get("/t")).node?.dir, true);
    });

    test("lets a key go at once that has no time to live", async () => {
      await using server = await start();
      using api = new Api(server);
      const made = await api.put("/zero", { value: "x", ttl: "0" });
      assert.deepEqual(seen(made).node, {
        key: "/zero",
        value: "x",
        dir: undefined,
        ttl: undefined,
        expires: true,
      });
      const waiting = await api.wait(`/zero?wait=true&waitIndex=${(made.node?.modifiedIndex ?? 0) + 1}`);
      assert.equal((await waiting.told)[0]?.action, "expire");
    });

    test("lets a directory expire with all that is in it", async () => {
      await using server = await start();
      using api = new Api(server);
      await api.put("/lease", { dir: "true", ttl: "1" });
      await api.put("/lease/member", { value: "x" });
      await api.put("/lease/deep/er", { value: "y" });
      assert.equal((await api.get("/lease/member")).node?.ttl, undefined);
      const member = await api.wait("/lease/member?wait=true");
      const [event] = await member.told;
      assert.deepEqual(seen(event as Body), {
        action: "expire",
        node: { key: "/lease", value: undefined, dir: true, ttl: undefined, expires: false },
        prevNode: { key: "/lease", value: undefined, dir: true, ttl: undefined, expires: true },
      });
      assert.equal((await api.get("/lease/deep/er")).errorCode, 100);
      assert.equal((await api.get("/lease")).errorCode, 100);
    });

    test("keeps a directory alive that is refreshed, and its files as they are", async () => {
      await using server = await start();
      using api = new Api(server);
      await api.put("/d", { dir: "true", ttl: "100" });
      const { node: file } = await api.put("/d/file", { value: "x" });
      const again = await api.put("/d", { dir: "true", ttl: "100", prevExist: "true" });
      assert.equal(again.action, "update");
      assert.deepEqual((await api.get("/d/file")).node, file);
      const forEver = await api.put("/d", { dir: "true", prevExist: "true" });
      assert.equal(forEver.node?.expiration, undefined);
      assert.equal((await api.get("/d")).node?.ttl, undefined);
      assert.equal((await api.get("/d/file")).node?.value, "x");
    });

    test("refreshes a key without telling anybody", async () => {
      await using server = await start();
      using api = new Api(server);
      const made = await api.put("/k", { value: "x", ttl: "100" });
      const waiting = await api.wait(`/k?wait=true&waitIndex=${(made.node?.modifiedIndex ?? 0) + 1}`);
      const refreshed = await api.put("/k", { ttl: "200", refresh: "true", prevExist: "true" });
      assert.deepEqual([refreshed.node?.value, refreshed.node?.ttl], ["x", 200]);
      await api.delete("/k");
      assert.deepEqual(
        (await waiting.told).map(({ action }) => action),
        ["delete"],
      );
    });

    test("streams, and sends the head of the answer at once", async () => {
      await using server = await start();
      using api = new Api(server);
      const stop = new AbortController();
      const path = "/v2/keys/s?wait=true&recursive=true&stream=true";
      const response = await api.client.open({ method: "GET", path }, stop.signal);
      for (let turn = 0; turn < 50; turn++) await api.put(`/s/${turn}`, { value: String(turn) });
      let body = "";
      for await (const chunk of response) {
        body += String(chunk);
        if (body.split("\n").length > 50) break;
      }
      const values = body
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as Body).node?.value);
      assert.deepEqual(
        values,
        Array.from({ length: 50 }, (_all, turn) => String(turn)),
      );
      stop.abort();
    });

    test("holds a semaphore as Locksmith does", async () => {
      await using server = await start();
      using api = new Api(server);
      const key = "/coreos.com/updateengine/rebootlock/semaphore";
      const value = (holders: readonly string[]) =>
        JSON.stringify({ semaphore: 1 - holders.length, max: 1, holders });
      const first = await api.put(key, { value: value([]), prevExist: "false" });
      assert.equal((await api.put(key, { value: value([]), prevExist: "false" })).errorCode, 105);
      const index = String(first.node?.modifiedIndex);
      const claims = ["m1", "m2", "m3"].map((id) => api.put(key, { value: value([id]), prevIndex: index }));
      const answers = await Promise.all(claims);
      assert.deepEqual(answers.map(({ action, errorCode }) => String(action ?? errorCode)).toSorted(), [
        "101",
        "101",
        "compareAndSwap",
      ]);
    });

    test("counts with compareAndSwap, and loses nothing", async () => {
      await using server = await start();
      using api = new Api(server);
      await api.put("/count", { value: "0" });
      const counter = async (): Promise<void> => {
        for (let done = 0; done < 10;) {
          const { node } = await api.get("/count?quorum=true");
          const value = String(Number(node?.value) + 1);
          const { errorCode } = await api.put("/count", { value, prevIndex: String(node?.modifiedIndex) });
          if (errorCode === undefined) done++;
        }
      };
      await Promise.all(Array.from({ length: 8 }, counter));
      assert.equal((await api.get("/count")).node?.value, "80");
    });

    test("gives names in the order of creation to those who come at once", async () => {
      await using server = await start();
      using api = new Api(server);
      const call = { method: "POST", path: "/v2/keys/queue", form: "value=x" };
      const answers = await Promise.all(Array.from({ length: 30 }, () => api.client.call(call)));
      assert.ok(answers.every(({ status }) => status === 201));
      const { node } = await api.get("/queue?sorted=true");
      assert.equal(node?.nodes?.length, 30);
      const created = node?.nodes?.map(({ createdIndex }) => createdIndex ?? 0) ?? [];
      assert.deepEqual(
        created,
        created.toSorted((a, b) => a - b),
      );
    });

    test("answers what is no request as a request, and lives on", async () => {
      await using server = await start();
      using api = new Api(server);
      const [host = "", port = ""] = server.address.split(":");
      const garbage = [
        "GET /v2/keys/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /v2/keys/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "\0\0\0\0",
        "GET /v2/keys\r\n\r\n",
      ];
      for (const text of garbage) {
        const socket = connect(Number(port), host);
        socket.on("error", () => undefined);
        socket.end(text);
        socket.resume();
        await once(socket, "close");
      }
      for (const query of ["?%", "?a=%ff&recursive=true", "?;=1", "?wait=true&waitIndex=x", "?recursive"]) {
        const { status } = await api.client.call({ method: "GET", path: `/v2/keys/none${query}` });
        assert.ok(status === 400 || status === 404, `${query}: ${status}`);
      }
      assert.equal((await api.put("/alive", { value: "yes" })).node?.value, "yes");
    });
  });
}

describe("the keys API and v3", () => {
  test("show the same keys", async () => {
    await using server = await embedded();
    using api = new Api(server);
    await using v3 = new EtcdClient({ endpoints: [server.address], deadlineMs: PATIENCE_MS });
    await v3.put("/registry/pods/one", "1");
    await v3.put("/registry/pods/two", "2");
    await v3.put("no path", "3");
    await v3.put("/registry//odd", "4");
    const { node } = await api.get("/registry?recursive=true&sorted=true");
    assert.deepEqual(
      node?.nodes?.map((one) => [one.key, one.dir, one.nodes?.map(({ key, value }) => [key, value])]),
      [
        [
          "/registry/pods",
          true,
          [
            ["/registry/pods/one", "1"],
            ["/registry/pods/two", "2"],
          ],
        ],
      ],
    );
    await api.put("/registry/pods/one", { value: "changed" });
    assert.equal(Buffer.from((await v3.get("/registry/pods/one"))?.value ?? []).toString(), "changed");
    const waiting = await api.wait("/registry?wait=true&recursive=true&stream=false");
    await v3.delete({ key: "/registry/pods/two" });
    assert.deepEqual(
      (await waiting.told).map(({ action, node: one }) => [action, one?.key]),
      [["delete", "/registry/pods/two"]],
    );
  });

  test("history that is compacted is refused", async () => {
    await using server = await embedded();
    using api = new Api(server);
    await using v3 = new EtcdClient({ endpoints: [server.address], deadlineMs: PATIENCE_MS });
    for (let turn = 0; turn < 5; turn++) await api.put("/k", { value: String(turn) });
    await v3.compact(5);
    const answer = await api.get("/k?wait=true&waitIndex=3");
    assert.deepEqual(answer, {
      errorCode: 401,
      message: "The event in requested index is outdated and cleared",
      cause: "the requested history has been cleared [5/3]",
      index: 6,
    });
    const [event] = await (await api.wait("/k?wait=true&waitIndex=5")).told;
    assert.equal(event?.node?.value, "3");
  });

  test("the end of a lease is an expiry, a deletion is none", async () => {
    await using server = await embedded();
    using api = new Api(server);
    await using v3 = new EtcdClient({ endpoints: [server.address], deadlineMs: PATIENCE_MS });
    const { id } = await v3.grantLease(60);
    await v3.put("/gone", "x", { lease: id });
    await v3.put("/ended", "x", { lease: id });
    const first = await api.wait("/gone?wait=true");
    await v3.delete({ key: "/gone" });
    assert.deepEqual(
      (await first.told).map(({ action }) => action),
      ["delete"],
    );
    const second = await api.wait("/ended?wait=true");
    await v3.revokeLease(id);
    assert.deepEqual(
      (await second.told).map(({ action }) => action),
      ["expire"],
    );
  });

  test("what is not served is refused", async () => {
    await using server = await embedded();
    using client = new V2Client(server.address);
    const status = async (method: string, path: string): Promise<number> =>
      (await client.call({ method, path })).status;
    assert.equal(await status("GET", "/v2/auth/users"), 501);
    assert.equal(await status("POST", "/v2/members"), 501);
    assert.equal(await status("DELETE", "/v2/members/abc"), 404);
    assert.equal(await status("GET", "/v2/else"), 404);
    assert.equal(await status("PUT", `/v2/keys/${"a/".repeat(60)}b`), 400);
    assert.equal(await status("PUT", `/v2/keys/${"a".repeat(5000)}`), 400);
    const large = { method: "PUT", path: "/v2/keys/large", form: `value=${"x".repeat(3 << 20)}` };
    const answer = await client.call(large).catch((error: unknown) => error as Error);
    assert.ok(answer instanceof Error || answer.status === 400);
    const first = await client.call({ method: "GET", path: "/v2/members" });
    assert.equal((JSON.parse(first.body) as { readonly members: readonly unknown[] }).members.length, 1);
  });
});

describe("pages beside the keys", () => {
  test("name the member's peer URLs, and count what ran out", async () => {
    const peerUrls = ["http://10.0.0.1:2380"];
    await using server = await embedded({ peerUrls });
    using client = new V2Client(server.address);
    const page = async (path: string): Promise<unknown> =>
      JSON.parse((await client.call({ method: "GET", path })).body) as unknown;
    const { members } = (await page("/v2/members")) as {
      readonly members: readonly Record<string, unknown>[];
    };
    assert.deepEqual(
      members.map(({ peerURLs }) => peerURLs),
      [peerUrls],
    );
    const figures = (await page("/v2/stats/store")) as Record<string, number>;
    assert.equal(figures["expireCount"], 0);
  });

  test("leave a connection open for as long as its client likes", async () => {
    await using server = await embedded();
    const response = await fetch(`http://${server.address}/version`);
    await response.text();
    assert.equal(response.headers.get("keep-alive"), null);
  });
});

describe("the keys API while users are asked for", () => {
  test("lets each do what the roles of v3 permit", async () => {
    await using server = await embedded({ auth: { bcryptCost: 4 } });
    using client = new V2Client(server.address);
    using v3 = new RawClient(server.address);
    const { method } = Auth;
    const ok = async (answer: Promise<object>): Promise<void> => assert.ok("ok" in (await answer));
    for (const name of ["root", "alice", "bob"]) {
      await ok(v3.call(method.userAdd, { name, password: `${name}'s` }));
      await ok(v3.call(method.roleAdd, { name }));
      await ok(v3.call(method.userGrantRole, { user: name, role: name }));
    }
    const grant = (name: string, perm: { permType: Permission_Type; key: Buffer; rangeEnd?: Buffer }) =>
      ok(v3.call(method.roleGrantPermission, { name, perm }));
    const app = { key: Buffer.from("/app/"), rangeEnd: Buffer.from("/app0") };
    await grant("alice", { permType: Permission_Type.READWRITE, ...app });
    await grant("bob", { permType: Permission_Type.READ, key: Buffer.from("/app/one") });
    await ok(v3.call(method.authEnable, {}));

    const call = async (user: string | undefined, verb: string, path: string, value?: string) => {
      const form = value === undefined ? {} : { form: `value=${value}` };
      const whom = user === undefined ? {} : { user };
      const { status, body } = await client.call({ method: verb, path: `/v2/keys${path}`, ...form, ...whom });
      if (status === 401) {
        const words = "The request requires user authentication";
        assert.deepEqual(JSON.parse(body), {
          errorCode: 110,
          message: words,
          cause: "Insufficient credentials",
          index: 0,
        });
      }
      return status;
    };
    const [root, alice, bob] = ["root:root's", "alice:alice's", "bob:bob's"];
    assert.equal(await call(root, "PUT", "/app/one", "1"), 201);
    assert.equal(await call(root, "PUT", "/other", "1"), 201);
    assert.equal(await call(alice, "PUT", "/app/deep/two", "2"), 201);
    assert.equal(await call(alice, "GET", "/app?recursive=true"), 200);
    assert.equal(await call(alice, "DELETE", "/app/deep?recursive=true"), 200);
    assert.equal(await call(bob, "GET", "/app/one"), 200);
    const refused: readonly (readonly [string | undefined, string, string, string?])[] = [
      [undefined, "GET", "/app/one"],
      ["alice:wrong", "GET", "/app/one"],
      ["nobody:x", "GET", "/app/one"],
      [":", "GET", "/app/one"],
      [alice, "GET", "/other"],
      [alice, "GET", "/?recursive=true"],
      [alice, "GET", "/?recursive=true&wait=true"],
      [alice, "PUT", "/other", "x"],
      [alice, "PUT", "/other?prevValue=guess", "x"],
      [alice, "PUT", "/app2", "x"],
      [alice, "DELETE", "/?recursive=true"],
      [bob, "PUT", "/app/one", "x"],
      [bob, "GET", "/app?recursive=true"],
      [bob, "GET", "/app/one?recursive=true&wait=true&waitIndex=x"],
    ];
    for (const [user, verb, path, value] of refused) {
      const status = await call(user, verb, path, value);
      assert.equal(status, path.includes("waitIndex=x") ? 400 : 401, `${user} ${verb} ${path}`);
    }
    const members = { method: "GET", path: "/v2/members" };
    assert.equal((await client.call({ ...members, user: alice })).status, 401);
    assert.equal((await client.call({ ...members, user: root })).status, 200);
  });
});
