// The commands for keys, through the API and directly, over a store in this process.
import assert from "node:assert/strict";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdClient, op } from "@keelson/etcd/client";
import { EtcdServer } from "@keelson/etcd/server";
import type { Terminal } from "../../src/cli/terminal.ts";
import { EtcdStoreKeys } from "../../src/registry/store-keys.ts";
import { runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { runKeel } from "./run-keel.ts";
import type { Ran } from "./run-keel.ts";

describe("commands for the store's keys", () => {
  let folder = "";
  let server: EtcdServer;
  let client: EtcdClient;
  let running: RunningApi;
  let endpoint = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-keys-"));
    server = await EtcdServer.start({
      dataDir: join(folder, "store"),
      listen: [{ host: "127.0.0.1", port: 0 }],
    });
    endpoint = `http://127.0.0.1:${server.addresses[0]?.port}`;
    client = new EtcdClient({ endpoints: [endpoint], deadlineMs: 30_000 });
    running = await runApi({ storeKeys: new EtcdStoreKeys(() => client) });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    await server.close();
    await rm(folder, { recursive: true });
  });

  const keelAt = async (argv: readonly string[], terminal: Partial<Terminal> = {}): Promise<Ran> => {
    const env = { KEEL_ENDPOINT: `unix:${running.api.socket}` };
    return await runKeel(["store", ...argv], { env, cwd: folder, ...terminal });
  };
  const keel = (...argv: string[]): Promise<Ran> => keelAt(argv);
  const remove = async (prefix: string): Promise<void> => void (await client.delete({ prefix }));

  for (const direct of [false, true]) {
    const to = (): string[] => (direct ? ["--endpoints", endpoint] : []);
    describe(direct ? "with --endpoints" : "through the API", () => {
      after(() => remove(""));

      test("put and get: text, JSON laid out, other bytes in hex; each byte comes back", async () => {
        assert.match((await keel("put", "t", "hello", ...to())).stdout, /^t written at revision \d+\n$/);
        assert.match(
          (await keel("get", "t", ...to())).stdout,
          /^t  \(revision \d+, version 1, 5 bytes\)\nhello\n$/,
        );
        await keel("put", "j", '{"a":[1,2]}', ...to());
        assert.match((await keel("get", "j", ...to())).stdout, /\n\{\n  "a": \[\n    1,/);
        const bytes = Buffer.from([0, 1, 0xff, 0x41]);
        await writeFile(join(folder, "bytes"), bytes);
        await keel("put", "00ff", "--hex", "--file", "bytes", ...to());
        const shown = (await keel("get", "--hex", "00ff", ...to())).stdout;
        assert.match(shown, /^\\x00\\xff  .*\n00000000  00 01 ff 41 +\.\.\.A\n$/);
        const { json } = await keel("get", "--hex", "00ff", "-o", "json", ...to());
        assert.deepEqual([json.version, json.value, json.form, json.keyVersion], [1, null, "hex", 1]);
        assert.equal(json.valueBase64, bytes.toString("base64"));
        assert.equal(json.keyBase64, Buffer.from([0, 0xff]).toString("base64"));
      });

      test("what is absent is said so with exit 7, and a revision that cannot be read too", async () => {
        assert.match((await keel("get", "absent", ...to())).stderr, /no key absent[^]*code: KEEL-712/);
        assert.equal((await keel("get", "absent", ...to())).code, 7);
        assert.match((await keel("get", "t", "--revision", "999999", ...to())).stderr, /future[^]*KEEL-713/);
        assert.equal((await keel("get", "t", "--revision", "x", ...to())).code, 2);
        assert.equal((await keel("del", "absent", "-y", ...to())).code, 7);
      });

      test("pages: ls says how to go on, get --prefix how many are left", async () => {
        for (const name of ["p/1", "p/2", "p/3"]) await keel("put", name, "v", ...to());
        const first = await keel("ls", "p/", "--limit", "2", ...to());
        assert.match(first.stdout, /^KEY +REVISION +VERSION +CREATED +LEASE\np\/1 .*\np\/2 .*\n$/);
        assert.match(first.stderr, /1 more keys; the next page: --after 'p\/2'/);
        const second = (await keel("ls", "p/", "--after", "p/2", "-o", "json", ...to())).json;
        assert.deepEqual([second.keys.map(({ key }: { key: string }) => key), second.left], [["p/3"], 0]);
        assert.match((await keel("get", "p/", "--prefix", "--limit", "1", ...to())).stdout, /… 2 more/);
      });

      test("ls and get --prefix: as many keys as were asked for, however many answers that takes", async () => {
        for (let from = 0; from < 1100; from += 100) {
          const names = Array.from({ length: 100 }, (_, i) => `many/${String(from + i).padStart(4, "0")}`);
          await client.txn({ compare: [], success: names.map((name) => op.put(name, "v")) });
        }
        const { json } = await keel("ls", "many/", "--limit", "1050", "-o", "json", ...to());
        assert.deepEqual([json.keys.length, json.left, json.keys.at(-1).key], [1050, 50, "many/1049"]);
        const got = (await keel("get", "many/", "--prefix", "--limit", "5000", "-o", "json", ...to())).json;
        assert.deepEqual([got.keys.length, got.count], [1100, 1100]);
        await remove("many/");
      });

      test("long keys and large values, up to what the store takes, and not a byte more is read", async () => {
        const long = "k".repeat(32 << 10);
        assert.equal((await keel("put", long, "v", ...to())).code, 0);
        assert.match((await keel("get", long, ...to())).stdout, /1 bytes\)\nv\n$/);
        assert.equal((await keel("del", long, "--prefix", "-y", ...to())).code, 0);
        for (const verb of ["get", "history", "watch", "ls"]) {
          const { code, stderr } = await keel(verb, `${long}k`, ...to());
          assert.deepEqual([code, /at most|1 to 32768 bytes, not 32769/.test(stderr)], [2, true], verb);
        }
        await writeFile(join(folder, "large"), Buffer.alloc(1_500_000, "x"));
        assert.equal((await keel("put", "large", "--file", "large", ...to())).code, 0);
        await truncate(join(folder, "large"), 2 ** 40);
        const { code, stderr } = await keel("put", "large", "--file", "large", ...to());
        assert.equal(code, 2);
        assert.match(stderr, /a value has at most 1572864 bytes[^]*KEEL-605/);
        await remove("large");
      });

      test("options that go with others are refused without them", async () => {
        for (const [argv, why] of [
          [["get", "t", "--limit", "3"], /--limit goes with --prefix/],
          [["get", "t", "--prefix", "--raw"], /--raw prints one key/],
          [["get", "t", "--endpoints", endpoint, "--key", "k.pem"], /--cert and --key belong together/],
        ] as const) {
          const { code, stderr } = await keel(...argv);
          assert.equal(code, 2, stderr);
          assert.match(stderr, why);
        }
      });

      test("del shows what goes and asks; unasked it deletes nothing", async () => {
        for (const name of ["d/1", "d/2"]) await keel("put", name, "v", ...to());
        const refused = await keel("del", "d/", "--prefix", ...to());
        assert.equal(refused.code, 4);
        assert.match(refused.stderr, /- d\/1 .*\n- d\/2 .*\n[^]*KEEL-716/);
        const env = { KEEL_ENDPOINT: `unix:${running.api.socket}` };
        const person = (answer: string): Partial<Terminal> => ({
          env,
          interactive: true,
          ask: () => Promise.resolve(answer),
        });
        assert.equal((await keelAt(["del", "d/", "--prefix", ...to()], person("n"))).code, 4);
        const done = await keelAt(["del", "d/", "--prefix", ...to()], person("y"));
        assert.match(done.stdout, /^2 keys deleted at revision \d+\n$/);
        const late: Partial<Terminal> = {
          ...person("y"),
          ask: async () => {
            await client.put("d/3", "changed meanwhile");
            return "y";
          },
        };
        await keel("put", "d/3", "v", ...to());
        const { code, stderr } = await keelAt(["del", "d/3", ...to()], late);
        assert.equal(code, 8, stderr);
        assert.match(stderr, /KEEL-714/);
      });

      test("Keelson's own keys are refused without --force, whatever the range", async () => {
        await client.put("/keelson/x", "1");
        for (const argv of [
          ["put", "/keelson/x", "2"],
          ["del", "/keelson/x", "-y"],
          ["del", "", "--prefix", "-y"],
          ["del", "/keel", "--prefix", "-y"],
          ["restore-value", "/keelson/x", "--revision", "2"],
        ]) {
          const { code, stderr } = await keel(...argv, ...to());
          if (argv[0] === "restore-value") continue;
          assert.equal(code, 4, `${argv.join(" ")}: ${stderr}`);
          assert.match(stderr, /Keelson’s own records[^]*KEEL-711/);
        }
        assert.equal((await client.get("/keelson/x"))?.version, 1);
        assert.equal((await keel("put", "/keelson/x", "2", "--force", ...to())).code, 0);
        assert.equal((await keel("put", "/keelsonx", "2", ...to())).code, 0);
      });

      test("history: every state with what changed, deletions, what was compacted; a value comes back", async () => {
        await remove("h");
        await keel("put", "h", '{"size":1,"name":"a"}', ...to());
        const second = (await keel("put", "h", '{"size":2,"name":"a"}', "-o", "json", ...to())).json.revision;
        await keel("del", "h", "-y", ...to());
        const lease = await client.grantLease(60, 0x1234n).catch(() => ({ id: 0x1234n }));
        await client.put("h", "text", { lease: lease.id });
        const shown = (await keel("history", "h", ...to())).stdout;
        assert.match(
          shown,
          /version 1, 21 bytes\n  \{\n    "size": 1,[^]*version 2, 21 bytes\n  ~ \.size: 1 → 2\nrevision \d+  deleted\nrevision \d+  version 1, 4 bytes, by the holder of lease 1234\n  text\n$/,
        );
        const restored = await keel("restore-value", "h", "--revision", String(second), ...to());
        assert.equal(restored.code, 0, restored.stderr);
        assert.match(restored.stdout, /h has the value of revision \d+ again[^]*undo: .*--revision \d+/);
        assert.equal((await client.get("h"))?.version, 2);
        assert.match(
          (await keel("restore-value", "h", "--revision", String(second), ...to())).stdout,
          /has that value already/,
        );
        const { revision } = await client.range({ key: "h" });
        await client.compact(revision - 1);
        const cut = (await keel("history", "h", "-o", "json", ...to())).json;
        assert.equal(cut.cut, false);
        await client.compact(revision);
        const { states, cut: isCut } = (await keel("history", "h", "-o", "json", ...to())).json;
        assert.deepEqual([states.length, isCut, states[0].keyVersion], [1, true, 2]);
        assert.match((await keel("history", "h", ...to())).stdout, /has been compacted\n/);
        assert.equal((await keel("restore-value", "h", "--revision", "2", ...to())).code, 7);
      });

      test("watch: changes as they come, until the count or the time", async () => {
        const { revision } = await client.range({ key: "w" });
        const argv = ["watch", "w", "--prefix", "--revision", String(revision + 1), "--count", "3", ...to()];
        const watching = keel(...argv);
        await client.put("w/1", "a");
        await client.put("w/1", "b");
        await client.delete({ key: "w/1" });
        const { code, stdout } = await watching;
        assert.equal(code, 0);
        assert.match(stdout, /^\+ w\/1  .*\na\n~ w\/1  .*\nb\n- w\/1  \(revision \d+\)\n$/);
        assert.deepEqual(
          [(await keel("watch", "w", "--timeout", "200ms", ...to())).code, (await keel("watch", "")).code],
          [0, 2],
        );
      });
    });
  }

  test("keys are not shown on TCP, and nothing is written there", async () => {
    const { port } = running.api.listening[0] ?? { port: 0 };
    const env = { KEEL_ENDPOINT: `http://127.0.0.1:${port}` };
    for (const argv of [["get", "t"], ["ls"], ["history", "t"], ["watch", "t"], ["put", "t", "x"]]) {
      const { code, stderr } = await keelAt(argv, { env });
      assert.equal(code, 4, stderr);
      assert.match(stderr, /KEEL-604/);
    }
  });

  test("the API refuses what is no request", async () => {
    const wrong = [
      { path: "/v1/store/keys" },
      { path: "/v1/store/keys?key=YQ&limit=-1" },
      { path: "/v1/store/history?key=" },
      { method: "POST", path: "/v1/store/keys/put", json: { key: "YQ==" } },
      { method: "POST", path: "/v1/store/keys/put", json: { key: "", value: "" } },
      { method: "POST", path: "/v1/store/keys/remove", json: { key: "YQ==", value: "", more: 1 } },
    ];
    for (const ask of wrong) {
      const { status, json } = await running.ask(ask);
      assert.equal(status, 400, `${ask.path}: ${JSON.stringify(json)}`);
    }
  });
});
