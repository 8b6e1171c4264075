// The store as a command: `keel store serve`, and the package as it is published, with etcd's flags and clients.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { freePort } from "../../packages/etcd/test/free-port.ts";
import { etcd35 } from "./support/servers.ts";
import { spawnStore } from "./support/spawned-store.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
const keel = [process.execPath, join(root, "packages/keelson/src/cli/main.ts"), "store", "serve"];

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "keelson-serve-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Every etcdctl there is here. */
async function etcdctls(): Promise<readonly string[]> {
  const tools = await etcd35();
  const known = ["/usr/bin/etcdctl", "unavailable" in tools ? "" : tools.etcdctl];
  return known.filter((path) => existsSync(path));
}

async function etcdctl(program: string, address: string, ...argv: string[]): Promise<string> {
  const environment = { ...process.env, ETCDCTL_API: "3" };
  return (await run(program, [`--endpoints=http://${address}`, ...argv], { env: environment })).stdout;
}

describe("keel store serve", () => {
  test("says when it is ready, serves etcdctl 3.4 and 3.5, and ends in order", async () => {
    await using folder = await scratch();
    const url = "http://127.0.0.1:0";
    const metrics = `http://127.0.0.1:${await freePort()}`;
    const flags = [
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-metrics-urls=${metrics}`,
    ];
    const environment = { ETCD_NAME: "from-environment", ETCD_LOG_LEVEL: "info" };
    await using store = await spawnStore([...keel, ...flags], { cwd: folder.path, environment });
    const messages = store.log.map(({ msg }) => msg);
    assert.ok(messages.indexOf("ready to serve client requests") >= 0, messages.join("\n"));
    const programs = await etcdctls();
    for (const [place, program] of programs.entries()) {
      assert.equal(await etcdctl(program, store.address, "put", `k${place}`, "v"), "OK\n");
      assert.equal(await etcdctl(program, store.address, "get", `k${place}`), `k${place}\nv\n`);
      assert.match(await etcdctl(program, store.address, "member", "list"), /, from-environment, /);
      assert.match(await etcdctl(program, store.address, "endpoint", "status"), /, 3\.5\.16, /);
    }
    assert.match(await (await fetch(`${metrics}/metrics`)).text(), /^etcd_server_has_leader 1$/m);
    assert.equal(await store.stop(), 0);
    assert.deepEqual(await readdir(folder.path), ["from-environment.etcd"]);
    assert.equal(store.log.at(-1)?.["msg"], "closed etcd server");
  });

  test("reads etcd's configuration file, and finds its data again", async () => {
    await using folder = await scratch();
    const file = join(folder.path, "etcd.yml");
    const url = "http://127.0.0.1:0";
    const lines = [
      "name: filed",
      "data-dir: data",
      `listen-client-urls: ${url}`,
      `advertise-client-urls: ${url}`,
    ];
    await writeFile(file, lines.join("\n"));
    for (const expected of ["", "there"]) {
      await using store = await spawnStore([...keel, "--config-file", file, "--name=ignored"], {
        cwd: folder.path,
      });
      const call = async (path: string, body: object) =>
        (
          await fetch(`http://${store.address}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) })
        ).json();
      const key = Buffer.from("a").toString("base64");
      const found = (await call("range", { key })) as {
        readonly kvs?: readonly { readonly value: string }[];
      };
      assert.equal(Buffer.from(found.kvs?.[0]?.value ?? "", "base64").toString(), expected);
      await call("put", { key, value: Buffer.from("there").toString("base64") });
      assert.equal(await store.stop(), 0);
    }
  });

  test("refuses what it does not do, a data directory of etcd's, and an address that is taken", async () => {
    await using folder = await scratch();
    const ended = (...flags: string[]) =>
      run(keel[0] as string, [...keel.slice(1), ...flags], { cwd: folder.path }).then(
        () => assert.fail("it began to serve"),
        ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
      );
    const misspelt = await ended("--listen-client-url=x");
    assert.equal(misspelt.code, 2);
    assert.match(
      misspelt.stderr,
      /^flag provided but not defined: -listen-client-url \(did you mean --listen-client-urls\?\)/,
    );
    const unsupported = await ended("--discovery=http://x");
    assert.equal(unsupported.code, 1);
    assert.match(unsupported.stderr, /--discovery is not supported by Keelson's store/);
    await mkdir(join(folder.path, "old/member"), { recursive: true });
    assert.match((await ended("--data-dir=old")).stderr, /is a data directory of etcd itself/);
    const url = "http://127.0.0.1:0";
    await using store = await spawnStore(
      [...keel, `--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
      { cwd: folder.path },
    );
    const taken = `http://${store.address}`;
    const second = await ended(
      "--data-dir=other",
      `--listen-client-urls=${taken}`,
      `--advertise-client-urls=${taken}`,
    );
    assert.deepEqual([second.code, /cannot listen: .*EADDRINUSE/.test(second.stderr)], [1, true]);
    assert.match((await ended()).stderr, /"code":"STORE_IN_USE"/);
    await store.stop();
  });
});

describe("the published package", () => {
  test("is built, runs on plain Node, and serves etcdctl", async () => {
    await using folder = await scratch();
    // A copy of what it is built from, so that nobody who uses the workspace meanwhile sees the other manifest.
    const workspace = join(folder.path, "workspace");
    const source = join(workspace, "packages/etcd");
    for (const part of ["package.json", "README.md", "scripts", "src"]) {
      cpSync(join(root, "packages/etcd", part), join(source, part), { recursive: true });
    }
    for (const part of ["tsconfig.json", "LICENSE"]) cpSync(join(root, part), join(workspace, part));
    await symlink(join(root, "node_modules"), join(workspace, "node_modules"));
    const environment = { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"]}` };
    await run("npm", ["pack", "--pack-destination", folder.path], { cwd: source, env: environment });
    assert.equal(
      await readFile(join(source, "package.json"), "utf8"),
      await readFile(join(root, "packages/etcd/package.json"), "utf8"),
    );

    const modules = join(folder.path, "elsewhere/node_modules");
    const home = join(modules, "@keelson/etcd");
    await mkdir(home, { recursive: true });
    const tarball = (await readdir(folder.path)).find((name) => name.endsWith(".tgz")) ?? "";
    await run("tar", ["-xzf", join(folder.path, tarball), "-C", home, "--strip-components=1"]);
    const manifest = JSON.parse(await readFile(join(home, "package.json"), "utf8")) as {
      readonly bin: Readonly<Record<string, string>>;
      readonly dependencies: Readonly<Record<string, string>>;
    };
    for (const name of Object.keys(manifest.dependencies)) {
      await mkdir(resolve(modules, name, ".."), { recursive: true });
      await symlink(join(root, "node_modules", name), join(modules, name));
    }
    const url = "http://127.0.0.1:0";
    const program = join(home, Object.values(manifest.bin)[0] ?? "");
    const flags = [`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`];
    await using store = await spawnStore([process.execPath, program, ...flags], { cwd: folder.path });
    for (const ctl of await etcdctls()) {
      assert.equal(await etcdctl(ctl, store.address, "put", "a", "1"), "OK\n");
      assert.equal(await etcdctl(ctl, store.address, "get", "a"), "a\n1\n");
    }
    assert.equal(await store.stop(), 0);

    const embedding = join(folder.path, "elsewhere/embedding.mjs");
    await writeFile(
      embedding,
      `import { EtcdClient, EtcdServer } from "@keelson/etcd";
       const server = await EtcdServer.start({ dataDir: "d", listen: [{ host: "127.0.0.1", port: 0 }] });
       const client = new EtcdClient({ endpoints: [server.addresses[0].url] });
       await client.put("a", "b");
       console.log(Buffer.from((await client.get("a")).value).toString());
       await client[Symbol.asyncDispose]();
       await server.close();`,
    );
    assert.equal((await run(process.execPath, [embedding], { cwd: folder.path })).stdout, "b\n");
  });

  test("says which Node it needs", async (t) => {
    const old = "/usr/bin/node";
    const version = existsSync(old) ? (await run(old, ["--version"])).stdout.trim() : "";
    if (!/^v(?:2[0-2])\./.test(version)) return t.skip("no old Node is here");
    await using folder = await scratch();
    // Its types are stripped by hand: that one assertion is all of them.
    const text = await readFile(join(root, "packages/etcd/src/command/main.ts"), "utf8");
    await writeFile(join(folder.path, "main.mjs"), text.replace(/ as const/g, ""));
    const ended = await run(old, [join(folder.path, "main.mjs")]).catch(
      (error: { code: number; stderr: string }) => error,
    );
    assert.deepEqual(
      ["code" in ended && ended.code, ended.stderr],
      [1, `@keelson/etcd needs Node 24.7 or newer; this is ${version.slice(1)}\n`],
    );
  });
});
