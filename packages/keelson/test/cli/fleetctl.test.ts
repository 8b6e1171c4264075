// fleetctl's verbs and options, understood or refused with a sentence.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { plainConnection, readConnection } from "../../src/cli/connection.ts";
import { moveLeadingOptions, plainSwitches } from "../../src/cli/leading-options.ts";
import { run } from "../../src/cli/program.ts";
import { forwardArgv, sshArgv, sshOptionsOf, throughHop } from "../../src/cli/ssh-command.ts";
import { fill, runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { machineId } from "../registry/records.ts";
import { recordingTerminal } from "./recording-terminal.ts";

const text = "[Unit]\nDescription=says hello\n\n[Service]\nExecStart=/bin/sleep 1d\n";

describe("fleetctl's words", () => {
  test("switches with a value, long and short", () => {
    const words = [
      "--full=true",
      "--no-legend=1",
      "--follow=false",
      "--A",
      "--f",
      "--fields=unit,sub",
      "--x=true",
    ];
    assert.deepEqual(plainSwitches("list-units", words), [
      "--full",
      "--no-legend",
      "--forward-agent",
      "--follow",
      "--fields=unit,sub",
      "--x=true",
    ]);
    assert.deepEqual(plainSwitches("ssh", ["--strict-host-key-checking=false", "m1", "ls", "--full=true"]), [
      "--no-strict-host-key-checking",
      "m1",
      "ls",
      "--full=true",
    ]);
    assert.deepEqual(plainSwitches("ssh", ["--ssh-username", "core", "--A", "m1", "--f"]), [
      "--ssh-username",
      "core",
      "--forward-agent",
      "m1",
      "--f",
    ]);
    assert.deepEqual(plainSwitches("journal", ["--", "--f"]), ["--", "--f"]);
  });

  test("global options stand before the command too", () => {
    const argv = ["--endpoint", "http://h:1", "--debug", "--tunnel=b", "list-units", "--full"];
    assert.deepEqual(moveLeadingOptions(argv), [
      "list-units",
      "--endpoint",
      "http://h:1",
      "--debug",
      "--tunnel=b",
      "--full",
    ]);
  });
});

describe("how to get there", () => {
  const place = (env: Record<string, string> = {}, isNamed = false) => ({ env, cwd: "/home/ada", isNamed });

  test("options go before the environment, and a named cluster before its endpoint", () => {
    const env = {
      FLEETCTL_ENDPOINT: "http://a:1",
      FLEETCTL_SSH_USERNAME: "core",
      FLEETCTL_TUNNEL: "bastion",
    };
    const read = readConnection({ endpoint: "http://b:2" }, place(env));
    assert.equal(read.endpoint, "http://b:2");
    assert.equal(read.ssh.user, "core");
    assert.deepEqual(read.ssh.tunnel, { host: "bastion", port: 22 });
    const named = readConnection({}, place(env, true));
    assert.deepEqual([named.endpoint, named.ssh.tunnel, named.ssh.user], [undefined, undefined, "core"]);
    assert.deepEqual(readConnection({}, place()), plainConnection);
  });

  test("every value is read", () => {
    const { ssh, requestMs, debug } = readConnection(
      {
        tunnel: "[fe80::1]:2222",
        sshTimeout: "2.5",
        strictHostKeyChecking: false,
        knownHostsFile: "keys",
        requestTimeout: "3.0",
        driver: "API",
        experimentalApi: "true",
        debug: true,
      },
      place(),
    );
    assert.deepEqual(ssh, {
      user: undefined,
      timeoutSeconds: 3,
      strict: false,
      knownHostsFile: "/home/ada/keys",
      tunnel: { host: "fe80::1", port: 2222 },
    });
    assert.deepEqual([requestMs, debug], [3000, true]);
    assert.equal(readConnection({}, place({ FLEETCTL_STRICT_HOST_KEY_CHECKING: "false" })).ssh.strict, false);
  });

  for (const [options, code] of [
    [{ driver: "etcd" }, "KEEL-584"],
    [{ etcdKeyPrefix: "/_coreos.com/fleet/" }, "KEEL-584"],
    [{ etcdCafile: "x" }, "KEEL-584"],
    [{ experimentalApi: "false" }, "KEEL-584"],
    [{ tunnel: "-oProxyCommand=evil" }, "KEEL-104"],
    [{ tunnel: "a b" }, "KEEL-104"],
    [{ sshTimeout: "soon" }, "KEEL-104"],
    [{ certFile: "c.pem" }, "KEEL-104"],
    [{ caFile: "/no/such/file" }, "KEEL-104"],
  ] as const) {
    test(`refused: ${JSON.stringify(options)}`, () => {
      assert.throws(() => readConnection(options, place()), { code });
    });
  }

  test("ssh through another machine, to another port, with the agent", () => {
    const ssh = { ...plainConnection.ssh, user: "core", strict: false, timeoutSeconds: 5 };
    const hop = { host: "bastion", port: 2222 };
    assert.deepEqual(
      sshOptionsOf(ssh).filter((word) => word !== "-o"),
      ["ConnectTimeout=5", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"],
    );
    assert.match(throughHop(hop, ssh)[1] ?? "", /^ProxyCommand=ssh .* -p 2222 -W '\[%h\]:%p' core@bastion$/);
    const forward = forwardArgv(hop, ssh, { local: "/tmp/f", remote: "/run/keelson/api.sock" }).join(" ");
    assert.match(forward, /-N -T .* -L \/tmp\/f:\/run\/keelson\/api\.sock -p 2222 core@bastion$/);
    const argv = sshArgv(
      { address: "10.0.0.1", options: [], user: "core" },
      { command: [], terminal: false, port: 2022, forwardAgent: true },
    ).join(" ");
    assert.match(argv, /-p 2022 -A -T core@10\.0\.0\.1$/);
  });
});

describe("fleetctl's commands", () => {
  let running: RunningApi;
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-fleetctl-"));
    running = await runApi({ fleet: { socket: true, listen: [{ host: "127.0.0.1", port: 0 }] } });
    const { machine, order, status } = fill(running.store);
    machine(1);
    await writeFile(join(folder, "hello.service"), text);
    await writeFile(join(folder, "all.service"), `${text}\n[X-Fleet]\nGlobal=true\n`);
    assert.equal((await fleetctl("start", "--no-block", "./hello.service")).code, 0);
    assert.equal((await fleetctl("submit", "./all.service")).code, 0);
    const { hash } = (await running.ask({ path: "/v1/units/hello.service" })).json.unit;
    order(1, "hello.service", { hash });
    status(1, "hello.service", { hash });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const command = async (argv: readonly string[], env: Record<string, string>) => {
    const terminal = recordingTerminal({ env, cwd: folder });
    const code = await run(argv, terminal);
    return { code, stdout: terminal.stdout(), stderr: terminal.stderr() };
  };
  const fleetctl = (...argv: string[]) =>
    command(["fleetctl", ...argv], { FLEETCTL_ENDPOINT: `unix://${running.api.fleet.socket ?? ""}` });
  const keel = (...argv: string[]) => command(argv, { KEEL_ENDPOINT: running.api.socket });

  test("lists have fleet's columns and words", async () => {
    const short = machineId(1).slice(0, 8);
    const units = await fleetctl("list-units", "--no-legend=true");
    assert.equal(units.stdout, `hello.service  ${short}.../10.0.0.1  active  running\n`);
    const full = await fleetctl("list-units", "--full", "--fields=unit,machine,load,hash", "--no-legend");
    assert.match(
      full.stdout,
      new RegExp(`^hello\\.service  ${machineId(1)}/10\\.0\\.0\\.1  loaded  [0-9a-f]{40}\n$`),
    );
    const files = await fleetctl("list-unit-files");
    const [legend, all, hello] = files.stdout.split("\n").map((line) => line.split(/ {2,}/));
    assert.deepEqual(legend, ["UNIT", "HASH", "DSTATE", "STATE", "TARGET"]);
    assert.deepEqual([all?.[0], all?.[2], all?.[3], all?.[4]], ["all.service", "inactive", "-", "global"]);
    assert.deepEqual(
      [hello?.[0], hello?.[2], hello?.[3], hello?.[4]],
      ["hello.service", "launched", "launched", `${short}.../10.0.0.1`],
    );
    const more = await fleetctl("list-unit-files", "--fields=unit,global,desc,tmachine", "--no-legend");
    assert.match(more.stdout, /^all\.service +true +says hello +global\nhello\.service +false +says hello/);
    const machines = await fleetctl("list-machines");
    assert.equal(machines.stdout, `MACHINE      IP        METADATA\n${short}...  10.0.0.1  -\n`);
    assert.match((await fleetctl("list-m", "--fields=ip", "--no-legend")).stdout, /^10\.0\.0\.1\n$/);
    assert.equal((await fleetctl("list")).code, 2);
  });

  test("keel has these fields too", async () => {
    const { stdout } = await keel("list-unit-files", "--fields=unit,target,global,desc", "--no-legend");
    assert.match(stdout, /^all\.service +global +true +says hello\nhello\.service +.*10\.0\.0\.1 +false/);
  });

  test("--endpoint takes every form, the first of several, and TCP changes", async () => {
    const port = running.api.fleet.tcp[0]?.port ?? 0;
    const http = `http://127.0.0.1:${port}`;
    const over = (endpoint: string, ...argv: string[]) => command(["--endpoint", endpoint, ...argv], {});
    for (const endpoint of [http, `file://${running.api.fleet.socket ?? ""}`, running.api.socket])
      assert.match((await over(endpoint, "list-units")).stdout, /hello\.service/, endpoint);
    const several = await over(`${http},http://127.0.0.1:1`, "cat", "hello");
    assert.equal(several.stdout, text);
    assert.match(several.stderr, /only the first/);
    assert.equal((await over(http, "unload", "--no-block", "all.service")).code, 0);
    assert.match((await over(http, "--debug", "cat", "hello")).stderr, /debug: GET .*\/v1\/snapshot: 200 in/);
    assert.match((await over("unix://run/fleet.sock", "cat", "hello")).stderr, /unix:\/\/\/run\/fleet\.sock/);
    assert.equal((await over("ftp://x", "cat", "hello")).code, 2);
    const refused = await over(http, "store", "status");
    assert.equal(refused.code, 9);
    assert.match(refused.stderr, /fleet’s API alone/);
  });

  test("what means nothing here is refused with a sentence", async () => {
    for (const argv of [
      ["start", "--sign", "hello"],
      ["--driver=etcd", "list-units"],
      ["list-units", "--etcd-key-prefix", "/x"],
    ]) {
      const { code, stderr } = await fleetctl(...argv);
      assert.equal(code, 2, argv.join(" "));
      assert.match(stderr, /KEEL-584/, argv.join(" "));
    }
    assert.equal((await fleetctl("ssh", "--machine", "a", "--unit", "b")).code, 2);
    assert.equal((await fleetctl("status", "--ssh-port", "x", "hello")).code, 2);
    assert.equal((await fleetctl("start", "--block-attempts=x", "hello")).code, 2);
  });

  test("stop refuses what is inactive, as fleetctl did", async () => {
    const { code, stderr } = await fleetctl("stop", "all");
    assert.equal(code, 8);
    assert.match(stderr, /KEEL-586/);
  });

  test("--block-attempts gives up after a quarter of a second for each", async () => {
    const { code, stderr } = await fleetctl("load", "--block-attempts=1", "./all.service");
    assert.ok(code === 0 || code === 5, stderr);
    const stuck = await fleetctl("restart", "--block-attempts=1", "hello");
    assert.equal(stuck.code, 5, stuck.stderr);
  });

  test("a path is the unit of that name first, and --replace leaves what is higher", async () => {
    const path = join(folder, "hello.service");
    await writeFile(path, text.replace("1d", "2d"));
    const again = await fleetctl("submit", path);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /warning: .* differs from the cluster's hello\.service/);
    const higher = await fleetctl("submit", "--replace", path);
    assert.equal(higher.code, 0, higher.stderr);
    assert.match(higher.stderr, /warning: hello\.service is launched, and is not replaced/);
    assert.equal((await fleetctl("cat", "hello")).stdout, text);
    await writeFile(path, text);
  });

  test("submit makes a unit of a template's instance, and leaves a replica alone", async () => {
    await writeFile(join(folder, "tool@.service"), text);
    assert.equal((await fleetctl("submit", "tool@.service")).code, 0);
    const made = await fleetctl("submit", "tool@7.service");
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await running.ask({ path: "/v1/units/tool@7.service" })).json.unit.desired, "inactive");
    assert.equal((await keel("scale", "tool@", "1", "--no-wait")).code, 0);
    const replica = await fleetctl("submit", "tool@1.service");
    assert.equal(replica.code, 0, replica.stderr);
    assert.equal((await running.ask({ path: "/v1/units/tool@1.service" })).status, 404);
  });

  test("verify reads a file as submitting it would", async () => {
    await writeFile(join(folder, "bad.service"), "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMemory=2G\n");
    await writeFile(join(folder, "odd.container"), "[Container]\nImage=x\nImgae=y\n");
    const { code, stdout } = await fleetctl(
      "verify",
      "hello.service",
      "bad.service",
      "none.service",
      "x.target",
    );
    assert.equal(code, 2);
    assert.match(stdout, /^hello\.service: fine\n/);
    assert.match(stdout, /bad\.service: KEEL-102: .*4:1.*\n/);
    assert.match(stdout, /none\.service: there is no such file/);
    assert.match(stdout, /x\.target: KEEL-103/);
    assert.equal((await keel("verify", "hello.service", "-o", "json")).code, 0);
    assert.match((await keel("verify", "odd.container")).stdout, /warning: odd\.container:3:1: .*\n.*fine/);
  });

  test("version and help in every form", async () => {
    const version = (await fleetctl("version")).stdout;
    for (const word of ["--version", "-v"]) assert.equal((await fleetctl(word)).stdout, version);
    for (const words of [[], ["help"], ["--help"], ["-h"]])
      assert.match((await fleetctl(...words)).stdout, /list-unit-files/);
    assert.match((await fleetctl("help", "ssh")).stdout, /--forward-agent/);
  });

  test("fd-forward joins a socket", async () => {
    const path = join(folder, "echo.sock");
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const main = join(import.meta.dirname, "../../src/cli/main.ts");
    const child = spawn(process.execPath, [main, "fd-forward", path], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end("there and back");
    let said = "";
    for await (const part of child.stdout.setEncoding("utf8")) said += String(part);
    assert.equal(said, "there and back");
    await new Promise((resolve) => server.close(resolve));
  });
});
