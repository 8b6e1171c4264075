import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readCloudConfig } from "../../src/provision/cloud-config/read-cloud-config.ts";
import { parseWindow } from "../../src/provision/cloud-config/keelson-section.ts";
import type { MachineConfig } from "../../src/provision/machine-config.ts";
import { maxConfigBytes } from "../../src/provision/reading/document.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGVleGFtcGxlZXhhbXBsZWV4YW1wbGVl me@example";
const hash = "$6$rounds=4096$saltsaltsalt$abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOP";

function config(...lines: string[]): MachineConfig {
  const { config: read, findings } = readCloudConfig(["#cloud-config", ...lines].join("\n"));
  assert.deepEqual(findings, []);
  assert.ok(read);
  return read;
}

/** `line:column severity path: message`, of every finding. */
function told(...lines: string[]): readonly string[] {
  const { findings } = readCloudConfig(["#cloud-config", ...lines].join("\n"));
  return findings.map((one) => `${one.line}:${one.column} ${one.severity} ${one.path}: ${one.message}`);
}

describe("a cloud-config", () => {
  test("names, keys and users with every field of CoreOS's that has a counterpart", () => {
    const read = config(
      "hostname: web-1",
      "manage_etc_hosts: localhost",
      "ssh_authorized_keys:",
      `  - ${key}`,
      "groups: [deploy, {ops: [core]}]",
      "users:",
      "  - name: core",
      `    passwd: ${hash}`,
      "    gecos: Core User",
      "    homedir: /home/core",
      "    no-create-home: yes",
      "    primary-group: users",
      "    groups: sudo, deploy",
      "    shell: /bin/bash",
      "    uid: 1500",
      `    ssh-authorized-keys: ["${key}"]`,
      "  - {name: svc, system: true, no_user_group: on}",
    );
    assert.equal(read.hostname, "web-1");
    assert.equal(read.managesHosts, true);
    assert.deepEqual(read.rootKeys, [key]);
    assert.deepEqual(read.groups, [
      { name: "deploy", members: [], system: false },
      { name: "ops", members: ["core"], system: false },
    ]);
    assert.deepEqual(read.users[0], {
      name: "core",
      uid: 1500,
      passwordHash: hash,
      keys: [key],
      gecos: "Core User",
      home: "/home/core",
      createsHome: false,
      primaryGroup: "users",
      groups: ["sudo", "deploy"],
      ownGroup: true,
      system: false,
      shell: "/bin/bash",
    });
    assert.deepEqual(read.users[1], {
      name: "svc",
      keys: [],
      createsHome: false,
      groups: [],
      ownGroup: false,
      system: true,
    });
  });

  test("reads permissions as octal, however they are written, and every encoding", () => {
    const packed = "H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==";
    const { files } = config(
      "write_files:",
      "  - {path: /etc/a, permissions: 0600, owner: 'core:users', content: hello}",
      "  - {path: /etc/b, permissions: '755', encoding: b64, content: aGVsbG8=}",
      `  - {path: /etc/c, encoding: gz+b64, content: "${packed}"}`,
      "  - path: /etc/d",
      "    content: |",
      "      two",
      "      lines",
    );
    assert.deepEqual(
      files.map(({ path, mode, user, group }) => [path, mode, user, group]),
      [
        ["/etc/a", 0o600, "core", "users"],
        ["/etc/b", 0o755, "root", "root"],
        ["/etc/c", 0o644, "root", "root"],
        ["/etc/d", 0o644, "root", "root"],
      ],
    );
    const texts = files.map(({ content }) => Buffer.from(content).toString());
    assert.deepEqual(texts, ["hello", "hello", "hello", "two\nlines\n"]);
    assert.deepEqual(
      files.map(({ substitutes }) => substitutes),
      [true, false, false, true],
    );
  });

  test("takes units in both forms", () => {
    const unit = ["[Service]", "ExecStart=/bin/true"];
    const { units } = config(
      "units:",
      "  - name: one.service",
      "    enable: true",
      "    content: |",
      ...unit.map((line) => `      ${line}`),
      "coreos:",
      "  units:",
      "    - name: two.service",
      "      command: start",
      "      runtime: true",
      "      drop-ins: [{name: 10-x.conf, content: '[Unit]'}]",
      "    - {name: three.service, mask: true}",
    );
    assert.deepEqual(units, [
      {
        name: "one.service",
        content: `${unit.join("\n")}\n`,
        enabled: true,
        dropIns: [],
        masked: false,
        runtime: false,
      },
      {
        name: "two.service",
        command: "start",
        dropIns: [{ name: "10-x.conf", content: "[Unit]\n" }],
        masked: false,
        runtime: true,
      },
      { name: "three.service", dropIns: [], masked: true, runtime: false },
    ]);
  });

  test("joins a cluster, and brings fleet's metadata along", () => {
    const { keelson, update } = config(
      "keelson:",
      "  cluster: prod",
      "  roles: [agent, api]",
      "  endpoints: ['http://10.0.0.1:2379']",
      "  metadata: {zone: a}",
      "  address: $private_ipv4",
      "  reserve: {memory: 256M, cpus: 0.5}",
      "  update: {channel: stable, group: canary, window: 'Sat,Sun 03:00 2h'}",
      "coreos:",
      "  fleet: {metadata: 'zone=b,disk=ssd'}",
      "  update: {reboot-strategy: off, group: other}",
    );
    assert.deepEqual(keelson, {
      cluster: "prod",
      roles: ["agent", "api"],
      endpoints: ["http://10.0.0.1:2379"],
      metadata: { zone: "a", disk: "ssd" },
      address: "$private_ipv4",
      reserve: { memoryBytes: 256 << 20, cpus: 0.5 },
    });
    assert.deepEqual(update, {
      reboot: "off",
      group: "canary",
      channel: "stable",
      window: { days: ["sat", "sun"], start: "03:00", minutes: 120 },
    });
  });

  test("discovery is a URL with its token, or both apart", () => {
    const of = (...lines: string[]): unknown =>
      config("keelson:", "  cluster: c", ...lines.map((line) => `  ${line}`)).keelson?.discovery;
    assert.equal(of("discovery: http://d:8087/0123456789abcdef"), "http://d:8087/0123456789abcdef");
    assert.equal(of("discovery: http://d:8087", "token: 0123456789abcdef"), "http://d:8087/0123456789abcdef");
  });

  test("tells where what is wrong stands, and everything at once", () => {
    assert.deepEqual(told("hostnam: a", "users:", "  - nam: x", "write_files:", "  - path: /usr/a"), [
      '2:1 error hostnam: there is no field "hostnam"',
      '4:5 error users[0].nam: there is no field "nam"',
      "4:5 error users[0]: a user needs `name`",
      "6:11 error write_files[0].path: is in the read-only part of the system",
    ]);
    assert.deepEqual(told("users: [{name: Bob}]", "hostname: -x", "units: {a: b}"), [
      "2:16 error users[0].name: must be a name of a-z, 0-9, - and _, at most 31 characters",
      "3:11 error hostname: must be a host name: letters, digits and -, at most 63 characters between dots",
      "4:8 error units: must be a list",
    ]);
  });

  const refused: readonly (readonly [what: string, lines: readonly string[], told: RegExp])[] = [
    ["a field twice", ["hostname: a", "hostname: b"], /"hostname" stands twice/],
    ["a user twice", ["users: [{name: a}, {name: a}]"], /user a stands twice/],
    ["a file twice", ["write_files: [{path: /etc/a}, {path: /etc/a}]"], /file \/etc\/a stands twice/],
    [
      "a unit twice",
      ["units: [{name: a.service}]", "coreos: {units: [{name: a.service}]}"],
      /a.service stands twice/,
    ],
    ["a password in the clear", ["users: [{name: a, passwd: secret}]"], /never the password itself/],
    ["a private key", ["ssh_authorized_keys: ['-----BEGIN OPENSSH PRIVATE KEY-----']"], /one public SSH key/],
    ["a way out of a folder", ["write_files: [{path: /etc/../usr/a}]"], /without \. and \.\./],
    ["an account's file", ["write_files: [{path: /etc/shadow}]"], /is not written as a file/],
    ["no base64", ["write_files: [{path: /etc/a, encoding: b64, content: '%%'}]"], /is not base64/],
    ["no gzip", ["write_files: [{path: /etc/a, encoding: gzip, content: aGVsbG8=}]"], /is not gzip/],
    ["an unknown encoding", ["write_files: [{path: /etc/a, encoding: rot13}]"], /"rot13" is not known/],
    ["no unit file", ["units: [{name: a.service, content: 'ExecStart=/bin/true'}]"], /is no unit file/],
    ["no unit's name", ["units: [{name: a}]"], /name of a unit/],
    ["merging", ["users: [{<<: {name: a}}]"], /merging mappings/],
    ["no cluster", ["keelson: {endpoints: ['http://a:1']}"], /needs `cluster`/],
    ["no store", ["keelson: {cluster: a}"], /not told where the store is/],
    ["an endpoint with a path", ["keelson: {cluster: a, endpoints: ['http://a:1/x']}"], /http:\/\/HOST:PORT/],
    ["a token alone", ["keelson: {cluster: a, roles: [store], token: abcdefghij}"], /needs `discovery`/],
    ["discovery without token", ["keelson: {cluster: a, discovery: 'http://d'}"], /has no token/],
    ["a window in words", ["keelson: {update: {window: tonight}}"], /days, a time and a length/],
    ["a tab for indentation", ["users:", "\t- name: a"], /[Tt]abs/],
    ["an unclosed bracket", ["users: ["], /\]/],
  ];
  for (const [what, lines, pattern] of refused)
    test(`is refused with ${what}`, () => {
      const findings = told(...lines);
      assert.match(findings.join("\n"), pattern);
      assert.equal(readCloudConfig(["#cloud-config", ...lines].join("\n")).config, undefined);
    });

  test("what CoreOS had and Keelson has not is told, and the rest is taken", () => {
    const lines = [
      "coreos:",
      "  etcd2: {discovery: 'https://discovery.etcd.io/x'}",
      "  flannel: {interface: eth0}",
      "  fleet: {public-ip: $public_ipv4}",
      "  locksmith: {endpoint: x, window_start: Sat 03:00, window_length: 1h}",
      "  update: {server: 'https://public.update.core-os.net/v1/update/'}",
      "  units:",
      "    - {name: etcd2.service, command: start}",
      "    - {name: fleet.service, command: start}",
      "users: [{name: a, sudo: x, coreos-ssh-import-github: b}]",
    ];
    assert.deepEqual(
      told(...lines).map((line) => /^\S+ \S+ [^:]*/.exec(line)?.[0]),
      [
        "3:22 warning coreos.etcd2.discovery",
        "4:24 warning coreos.flannel.interface",
        "5:22 warning coreos.fleet.public-ip",
        "6:25 warning coreos.locksmith.endpoint",
        "7:20 warning coreos.update.server",
        "9:7 warning coreos.units[0]",
        "10:7 warning coreos.units[1]",
        "11:25 warning users[0].sudo",
        "11:54 warning users[0].coreos-ssh-import-github",
      ],
    );
    const { config: read } = readCloudConfig(["#cloud-config", ...lines].join("\n"));
    assert.deepEqual(read?.units, []);
    assert.deepEqual(read?.update, { window: { days: ["sat"], start: "03:00", minutes: 60 } });
  });

  test("no finding holds a secret", () => {
    const secret = "hunter2hunter2";
    const findings = told(
      `users: [{name: a, passwd: ${secret}}]`,
      "keelson:",
      "  cluster: a",
      `  token: ${secret}!`,
      `  store: ${secret}`,
      `write_files: [{path: /etc/a, encoding: b64, content: '${secret}%'}]`,
      `ssh_authorized_keys: [${secret}]`,
    );
    assert.equal(findings.length, 7);
    assert.doesNotMatch(findings.join("\n"), /hunter2/);
  });

  test("bombs are refused, and soon", () => {
    const bombs = [
      `users: ${"[".repeat(100_000)}`,
      `users: ${"{a: ".repeat(2000)}`,
      `users: ${"[".repeat(500)}${"]".repeat(500)}`,
      "- ".repeat(50_000),
      [
        "a: &a [x,x,x,x,x,x,x,x,x,x]",
        "b: &b [*a,*a,*a,*a,*a,*a,*a,*a]",
        "write_files: [*b,*b,*b,*b,*b,*b]",
      ].join("\n"),
      "users: &a [*a]",
      "users: *nobody",
      "x".repeat(maxConfigBytes),
    ];
    for (const bomb of bombs) {
      const { config: read, findings } = readCloudConfig(`#cloud-config\n${bomb}`);
      assert.equal(read, undefined);
      assert.ok(findings.length > 0);
    }
  });

  test("whatever is read has a place, and nothing throws", () => {
    const word = fc.constantFrom(
      "users",
      "name",
      "write_files",
      "- ",
      ": ",
      "\n",
      "  ",
      "[",
      "}",
      "{",
      "*a",
      "&a",
      "keelson",
      "|",
      '"',
      "units",
      "coreos",
      "content",
      "\t",
      "#",
      "---",
      "!!binary",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 8 })), { maxLength: 40 }), (words) => {
        const text = `#cloud-config\n${words.join("")}`;
        const { config: read, findings } = readCloudConfig(text);
        const lines = text.split("\n").length;
        for (const { line, column } of findings) assert.ok(line >= 1 && line <= lines + 1 && column >= 1);
        assert.equal(
          read === undefined,
          findings.some(({ severity }) => severity === "error"),
        );
      }),
      { numRuns: 300 },
    );
  });
});

test("a window for restarts is days, a time and a length", () => {
  assert.deepEqual(parseWindow("03:30 90m"), { days: [], start: "03:30", minutes: 90 });
  assert.deepEqual(parseWindow("Mon 3:00 1h"), { days: ["mon"], start: "03:00", minutes: 60 });
  for (const wrong of ["", "25:00 1h", "Xyz 03:00 1h", "03:00", "03:00 0m", "03:00 999h", "03:60 1h"])
    assert.equal(parseWindow(wrong), undefined);
});
