// Applying to a folder in place of `/`: what is made, what is changed, what is taken back.
import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import { createLog } from "../../src/base/log.ts";
import { readNumbers, withPassword } from "../../src/provision/apply/accounts.ts";
import { addressOf, endpointsIn } from "../../src/provision/apply/cluster-place.ts";
import { hostsWith } from "../../src/provision/apply/hosts-file.ts";
import { defaultRoute, machineAt } from "../../src/provision/apply/machine.ts";
import type { Machine } from "../../src/provision/apply/machine.ts";
import { readState } from "../../src/provision/apply/state.ts";
import { readNetworkConfig } from "../../src/provision/network-config.ts";
import { provision } from "../../src/provision/provision.ts";
import type { Outcome } from "../../src/provision/provision.ts";
import { defaultEndpoints } from "../../src/provision/sources/source.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGVleGFtcGxlZXhhbXBsZWV4YW1wbGVl";
const hash = "$6$saltsalt$abcdefghijklmnopqrstuvwxyz";

let root = "";
let ran: string[] = [];
let owners: Map<string, string>;
let lines: string[] = [];
let machine: Machine;
let boot = 0;

/** Hooks of this file's own suites: in one process with other files, those outside of suites would be theirs, too. */
async function freshRoot(): Promise<void> {
  root = await mkdtemp(join(tmpdir(), "keelson-apply-"));
  ran = [];
  owners = new Map();
  lines = [];
  for (const folder of ["etc", "var/home", "run/credentials", "proc/sys/kernel/random"])
    await mkdir(join(root, folder), { recursive: true });
  await symlink("var/home", join(root, "home"));
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\nsudo:x:27:\nusers:x:100:\n");
  await writeFile(join(root, "etc/shadow"), "root:*:20000:0:99999:7:::\n", { mode: 0o640 });
  await writeFile(join(root, "etc/motd"), "Debian\n");
  await writeFile(join(root, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
  await restart();
  machine = machineAt(root, {
    run: (argv) => {
      ran.push(argv.join(" ").replaceAll(root, ""));
      return Promise.resolve({ status: 0, stdout: "", stderr: "" });
    },
    chown: (path, uid, gid) => {
      owners.set(path.slice(root.length).replace(/\.keelson-[0-9a-f]{8}$/, ""), `${uid}:${gid}`);
      return Promise.resolve();
    },
    network: () =>
      Promise.resolve({
        defaultInterface: "eth0",
        addresses: [
          { interface: "eth1", family: 4, address: "192.0.2.9" },
          { interface: "eth0", family: 6, address: "2001:db8::1" },
          { interface: "eth0", family: 4, address: "10.0.0.5" },
        ],
      }),
  });
}
const removeRoot = (): Promise<void> => rm(root, { recursive: true, force: true });

const restart = (): Promise<void> =>
  writeFile(join(root, "proc/sys/kernel/random/boot_id"), `boot-${++boot}\n`);
const text = (path: string): Promise<string> => readFile(join(root, path), "utf8");
const isThere = (path: string): Promise<boolean> =>
  lstat(join(root, path)).then(
    () => true,
    () => false,
  );

async function apply(
  config: readonly string[],
  more: { stage?: "local" | "network"; isRescue?: boolean } = {},
): Promise<Outcome> {
  const credentials = join(root, "run/credentials");
  await writeFile(join(credentials, "keelson.cloud-config"), ["#cloud-config", ...config].join("\n"));
  return await provision({
    stage: more.stage ?? "network",
    asking: {
      facts: { dmi: {}, commandLine: "", credentials, firmwareFiles: "/nowhere", diskLabels: "/nowhere" },
      clock: systemClock,
      patienceMs: 100,
      endpoints: defaultEndpoints,
      openDisk: () => Promise.resolve(undefined),
    },
    machine,
    stateFolder: join(root, "var/lib/keelson/provision"),
    clock: systemClock,
    log: createLog((line) => lines.push(line)),
    isRescue: more.isRescue ?? false,
    patienceMs: 100,
  });
}

const steps = ({ steps: all }: Outcome): readonly string[] =>
  all.map(({ action, what }) => `${action} ${what}`);

describe("applying", () => {
  beforeEach(freshRoot);
  afterEach(removeRoot);

  test("twice does nothing the second time", async () => {
    const config = ["hostname: web-1", "write_files: [{path: /etc/a, content: one}]"];
    assert.deepEqual(steps(await apply(config)), [
      "create host name web-1",
      "create file /etc/a, 3 bytes, 0644",
    ]);
    await writeFile(join(root, "etc/a"), "edited");
    lines = [];
    assert.deepEqual(steps(await apply(config)), []);
    assert.equal(lines.length, 1, lines.join(""));
    assert.match(lines[0] ?? "", /the configuration is the one that was applied/);
    await restart();
    assert.deepEqual(steps(await apply(config)), []);
    assert.equal(await text("etc/a"), "edited");
  });

  test("changes what differs, and takes back what is gone, to what was there before", async () => {
    await apply([
      "write_files:",
      "  - {path: /etc/motd, content: mine}",
      "  - {path: /etc/new/b, content: b}",
      "  - {path: /etc/c, content: c}",
    ]);
    assert.equal(await text("etc/motd"), "mine");
    const outcome = await apply(["write_files: [{path: /etc/c, content: other}]"]);
    assert.deepEqual(steps(outcome), [
      "remove file /etc/new/b, 1 bytes, 0644",
      "remove file /etc/motd, 4 bytes, 0644",
      "change file /etc/c, 5 bytes, 0644",
    ]);
    assert.equal(await text("etc/motd"), "Debian\n");
    assert.equal(await isThere("etc/new/b"), false);
    assert.equal(await text("etc/c"), "other");
  });

  test("makes users as records, and leaves the image's accounts alone", async () => {
    const passwd = await text("etc/passwd");
    const outcome = await apply([
      "groups: [ops]",
      "users:",
      `  - {name: core, passwd: "${hash}", groups: [sudo, ops], ssh_authorized_keys: ["${key}"], shell: /bin/sh}`,
      "  - {name: svc, system: true}",
      "write_files: [{path: /home/core/x, content: x, owner: core, permissions: 0600}]",
    ]);
    assert.deepEqual(outcome.failures, []);
    assert.deepEqual(JSON.parse(await text("etc/userdb/core.user")), {
      userName: "core",
      uid: 1000,
      gid: 1001,
      homeDirectory: "/home/core",
      shell: "/bin/sh",
      disposition: "regular",
    });
    assert.equal(await readlink(join(root, "etc/userdb/1000.user")), "core.user");
    assert.equal((await stat(join(root, "etc/userdb/core.user-privileged"))).mode & 0o777, 0o600);
    assert.match(await text("etc/userdb/core.user-privileged"), /\$6\$saltsalt/);
    // An empty file would mask the membership.
    assert.equal(await text("etc/userdb/core:sudo.membership"), "{}\n");
    assert.equal((JSON.parse(await text("etc/userdb/svc.user")) as { uid: number }).uid, 700);
    assert.equal(await text("etc/ssh/authorized_keys.d/core"), `${key}\n`);
    assert.equal(owners.get("/home/core/x"), "1000:1001");
    assert.equal(await text("etc/passwd"), passwd);
    assert.equal(await isThere("var/home/core"), true);
    // Gone, and back under the same number: the files are still theirs.
    await apply([]);
    assert.equal(await isThere("etc/userdb/core.user"), false);
    assert.equal(await isThere("var/home/core/"), true);
    await apply(["users: [{name: other}, {name: core}]"]);
    assert.equal((JSON.parse(await text("etc/userdb/core.user")) as { uid: number }).uid, 1000);
  });

  test("sets the password of a user of the image, and puts back what was", async () => {
    await apply([`users: [{name: root, passwd: "${hash}"}]`, `ssh_authorized_keys: ["${key}"]`]);
    assert.equal(await text("etc/shadow"), `root:${hash}:20000:0:99999:7:::\n`);
    assert.equal(await text("etc/ssh/authorized_keys.d/root"), `${key}\n`);
    await apply([]);
    assert.equal(await text("etc/shadow"), "root:*:20000:0:99999:7:::\n");
  });

  test("tells systemd once, when all is written", async () => {
    const unit = 'content: "[Service]\\nExecStart=/bin/true\\n"';
    await apply([
      "units:",
      `  - {name: a.service, ${unit}, enable: true}`,
      `  - {name: b.service, ${unit}, command: start}`,
      `  - {name: c.service, mask: true}`,
      `  - {name: web.container, content: "[Container]\\nImage=x\\n", command: start}`,
      `  - {name: 10-a.network, content: "[Match]\\nName=eth0\\n"}`,
      `  - {name: d.service, ${unit}, runtime: true, command: start}`,
    ]);
    assert.deepEqual(ran, [
      "systemctl --root= enable a.service",
      "systemctl daemon-reload",
      "systemctl --no-block try-restart systemd-networkd.service",
      "systemctl --no-block start a.service",
      "systemctl --no-block start b.service",
      "systemctl --no-block stop c.service",
      "systemctl --no-block start web.service",
      "systemctl --no-block start d.service",
    ]);
    assert.equal(await readlink(join(root, "etc/systemd/system/c.service")), "/dev/null");
    assert.equal(
      await readlink(join(root, "etc/systemd/system/multi-user.target.wants/b.service")),
      "/etc/systemd/system/b.service",
    );
    assert.equal(await isThere("etc/containers/systemd/web.container"), true);
    assert.equal(await isThere("etc/systemd/network/10-a.network"), true);
    assert.equal(await isThere("run/systemd/system/d.service"), true);
    ran = [];
    await apply([]);
    assert.ok(ran.includes("systemctl --root= disable a.service"));
    assert.ok(ran.includes("systemctl stop b.service"));
    assert.equal(await isThere("etc/systemd/system/a.service"), false);
    assert.equal(await isThere("etc/systemd/system/multi-user.target.wants/b.service"), false);
  });

  test("what was for one boot is made again at the next", async () => {
    const config = ["units: [{name: d.service, runtime: true, content: '[Service]'}]"];
    await apply(config);
    assert.deepEqual(steps(await apply(config)), []);
    await restart();
    assert.deepEqual(steps(await apply(config)), ["repeat unit d.service: until the next boot"]);
  });

  test("before the network leaves what needs an address, and does it after", async () => {
    const config = [
      "hostname: web-1",
      "write_files: [{path: /etc/a, content: 'I am $private_ipv4'}]",
      "keelson: {cluster: prod, endpoints: ['http://10.0.0.1:2379'], metadata: {zone: a}}",
    ];
    const first = await apply(config, { stage: "local" });
    assert.deepEqual(steps(first), ["create host name web-1"]);
    assert.deepEqual(first.waiting, ["file:/etc/a", "keelson"]);
    const second = await apply(config);
    assert.deepEqual(second.waiting, []);
    assert.equal(await text("etc/a"), "I am 10.0.0.5");
    assert.deepEqual(JSON.parse(await text("etc/credstore/keelson.config")), {
      cluster: "prod",
      name: "web-1",
      roles: ["agent", "leader", "api"],
      address: "10.0.0.5",
      metadata: { zone: "a" },
      store: { endpoints: ["http://10.0.0.1:2379"] },
      api: { socket: "/run/keelson/api.sock", listen: [{ host: "10.0.0.5", port: 7411 }] },
    });
    assert.equal((await stat(join(root, "etc/credstore/keelson.config"))).mode & 0o777, 0o600);
    assert.ok(ran.includes("systemctl --no-block restart keeld.service"));
    // The address is looked at in every boot; keeld is left alone while it stays.
    ran = [];
    await restart();
    await apply(config);
    assert.deepEqual(ran, []);
  });

  test("an address that nobody tells is a failure, and everything else is applied", async () => {
    const outcome = await apply(["write_files: [{path: /etc/a, content: $public_ipv4}, {path: /etc/b}]"]);
    assert.deepEqual(
      outcome.failures.map(({ id, message }) => [id, message]),
      [["file:/etc/a", "nobody tells this machine $public_ipv4"]],
    );
    assert.equal(await isThere("etc/b"), true);
  });

  test("a configuration with an error changes nothing", async () => {
    await apply(["write_files: [{path: /etc/a, content: one}]"]);
    await assert.rejects(apply(["write_files: [{path: /etc/a, content: two}]", "hostnam: x"]), {
      code: "KEEL-841",
    });
    assert.equal(await text("etc/a"), "one");
    const state = await readState(join(root, "var/lib/keelson/provision"));
    assert.ok(state !== undefined && state !== "damaged");
    assert.equal(state.findings[0]?.line, 3);
    assert.equal(state.applied.length, 1);
  });

  test("a step that fails is told and tried again", async () => {
    const config = ["write_files: [{path: /etc/a, owner: nobody-here}, {path: /etc/b}]"];
    const outcome = await apply(config);
    assert.deepEqual(
      outcome.failures.map(({ message }) => message),
      ["there is no user nobody-here"],
    );
    assert.equal(await isThere("etc/b"), true);
    await writeFile(join(root, "etc/passwd"), "nobody-here:x:5:5::/:/bin/sh\n");
    await writeFile(join(root, "etc/group"), "nobody-here:x:5:\n");
    assert.deepEqual(steps(await apply(config)), ["create file /etc/a, 0 bytes, 0644"]);
  });

  test("follows no link that someone other than root laid", { skip: process.getuid?.() !== 0 }, async () => {
    const { lchown } = await import("node:fs/promises");
    await mkdir(join(root, "var/home/core"));
    await symlink("../../../etc", join(root, "var/home/core/x"));
    await lchown(join(root, "var/home/core/x"), 1000, 1000);
    const { failures } = await apply(["write_files: [{path: /home/core/x/motd, content: evil}]"]);
    assert.match(failures[0]?.message ?? "", /a link that root did not make/);
    assert.equal(await text("etc/motd"), "Debian\n");
  });

  test("in the rescue state lets people in, and does nothing else", async () => {
    const outcome = await apply(["hostname: a", "users: [{name: core}]", "write_files: [{path: /etc/a}]"], {
      isRescue: true,
    });
    assert.deepEqual(steps(outcome), ["create host name a", "create user core"]);
    assert.equal(await isThere("etc/a"), false);
  });

  test("a damaged record is none, and nothing is taken back", async () => {
    await apply(["write_files: [{path: /etc/a, content: one}]"]);
    await writeFile(join(root, "var/lib/keelson/provision/state.json"), '{"version":1');
    assert.deepEqual(steps(await apply(["write_files: [{path: /etc/b}]"])), [
      "create file /etc/b, 0 bytes, 0644",
    ]);
    assert.equal(await isThere("etc/a"), true);
  });

  test("tells no secret", async () => {
    await apply([
      `users: [{name: core, passwd: "${hash}"}]`,
      "write_files: [{path: /etc/key, content: geheim}]",
      "keelson: {cluster: c, roles: [store], discovery: 'http://127.0.0.1:1/geheimgeheim'}",
    ]);
    assert.ok(lines.length > 3);
    assert.doesNotMatch(lines.join(""), /geheim|saltsalt/);
  });

  test("leads to what the last configuration says, whatever was before", async () => {
    const paths = ["/etc/a", "/etc/b", "/etc/motd"] as const;
    const files = fc.dictionary(fc.constantFrom(...paths), fc.constantFrom("1", "22", "333"), { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(files, { minLength: 1, maxLength: 4 }), async (configs) => {
        for (const wanted of configs)
          await apply([
            "write_files:",
            ...Object.entries(wanted).map(([path, content]) => `  - {path: ${path}, content: "${content}"}`),
          ]);
        const last = configs.at(-1) ?? {};
        for (const path of paths) {
          const expected = last[path] ?? (path === "/etc/motd" ? "Debian\n" : undefined);
          assert.equal(await text(path).catch(() => undefined), expected);
        }
      }),
      { numRuns: 12 },
    );
  });
});

describe("parts of it", () => {
  beforeEach(freshRoot);
  afterEach(removeRoot);

  test("/etc/hosts keeps what others wrote", () => {
    const before = "127.0.0.1 localhost\n";
    const once = hostsWith(before, "web-1.example.com");
    assert.match(once, /^127\.0\.1\.1 web-1\.example\.com web-1$/m);
    assert.equal(hostsWith(once, "web-1.example.com"), once);
    assert.equal(hostsWith(once, undefined), before);
    assert.equal(hostsWith("", undefined), "");
  });

  test("the address of the interface that leads out", () => {
    const routes =
      "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth1\t00000000\t0100A8C0\t3\t0\t0\t200\t00000000\neth0\t00000000\t0100000A\t3\t0\t0\t100\t00000000\n";
    assert.equal(defaultRoute(routes), "eth0");
    assert.equal(defaultRoute("garbage"), undefined);
    const addresses = [{ interface: "eth1", family: 4 as const, address: "192.0.2.1" }];
    assert.equal(addressOf({ addresses, defaultInterface: "eth0" }), undefined);
    assert.equal(addressOf({ addresses }, "eth1"), "192.0.2.1");
  });

  test("the stores that discovery knows", () => {
    const answer = (...values: unknown[]): string =>
      JSON.stringify({ node: { nodes: values.map((value) => ({ value })) } });
    assert.deepEqual(endpointsIn(answer("a=http://10.0.0.1:2379", "b=http://10.0.0.2:2380", 5, "x")), [
      "http://10.0.0.1:2379",
      "http://10.0.0.2:2379",
    ]);
    for (const garbage of ["", "{}", "null", '{"node":5}', "[]"]) assert.deepEqual(endpointsIn(garbage), []);
    fc.assert(fc.property(fc.json(), (json) => assert.ok(Array.isArray(endpointsIn(json)))));
  });

  test("accounts' files are read and changed line by line", () => {
    const { users, primary } = readNumbers("a:x:5:6::/:/x\ngarbage\nb:x:no:1\n", "");
    assert.deepEqual([...users], [["a", 5]]);
    assert.equal(primary.get("a"), 6);
    assert.equal(withPassword("a:*:1:::::\nb:!:2\n", "b", "$y$x"), "a:*:1:::::\nb:$y$x:2\n");
    assert.equal(withPassword("a:*:1\n", "c", "x"), undefined);
  });

  test("network-config becomes files of networkd", () => {
    const { files, findings } = readNetworkConfig(
      [
        "version: 2",
        "ethernets:",
        "  eth0:",
        "    match: {macaddress: '52:54:00:00:00:01'}",
        "    addresses: [10.0.0.5/24]",
        "    gateway4: 10.0.0.1",
        "    nameservers: {addresses: [10.0.0.2], search: [example.com]}",
        "    routes: [{to: 10.9.0.0/16, via: 10.0.0.9}]",
      ].join("\n"),
    );
    assert.deepEqual(findings, []);
    assert.equal(
      Buffer.from(files[0]?.content ?? []).toString(),
      [
        "[Match]",
        "MACAddress=52:54:00:00:00:01",
        "",
        "[Network]",
        "DHCP=no",
        "Address=10.0.0.5/24",
        "Gateway=10.0.0.1",
        "DNS=10.0.0.2",
        "Domains=example.com",
        "",
        "[Route]",
        "Gateway=10.0.0.9",
        "Destination=10.9.0.0/16",
        "",
      ].join("\n"),
    );
    const wrong = readNetworkConfig("version: 1\nconfig: []\n");
    assert.deepEqual(wrong.files, []);
    assert.match(wrong.findings[0]?.message ?? "", /only version 2/);
  });
});
