import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { readIgnition } from "../../src/provision/ignition.ts";
import { dataOf } from "../../src/provision/reading/data-url.ts";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGVleGFtcGxlZXhhbXBsZWV4YW1wbGVl";
const header = { ignition: { version: "3.4.0" } };
const told = (value: unknown): readonly string[] =>
  readIgnition(JSON.stringify(value, undefined, 2)).findings.map(
    ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
  );
const file = (contents: unknown, more: object = {}): object => ({
  ...header,
  storage: { files: [{ path: "/etc/a", contents, ...more }] },
});

describe("an Ignition configuration", () => {
  test("writes files, folders, links, units, users and groups", () => {
    const zipped = gzipSync("packed").toString("base64");
    const { config, findings } = readIgnition(
      JSON.stringify({
        ...header,
        storage: {
          files: [
            { path: "/etc/hostname", contents: { source: "data:,web-1%0A" }, overwrite: true },
            { path: "/etc/a", mode: 384, contents: { source: "data:,hello%20you" }, user: { name: "core" } },
            {
              path: "/etc/b",
              contents: {
                compression: "gzip",
                source: `data:;base64,${zipped}`,
                verification: { hash: `sha256-${createHash("sha256").update("packed").digest("hex")}` },
              },
            },
          ],
          directories: [{ path: "/var/lib/data", mode: 448, group: { id: 5 } }],
          links: [{ path: "/etc/c", target: "a" }],
          disks: [],
        },
        systemd: {
          units: [
            { name: "web.service", enabled: true, contents: "[Service]\nExecStart=/bin/true" },
            { name: "x.service", mask: true, dropins: [{ name: "a.conf", contents: "[Unit]" }] },
          ],
        },
        passwd: {
          users: [{ name: "core", sshAuthorizedKeys: [key], groups: ["sudo"] }],
          groups: [{ name: "ops", gid: 2000 }],
        },
      }),
    );
    assert.deepEqual(findings, []);
    assert.ok(config);
    assert.equal(config.hostname, "web-1");
    assert.deepEqual(
      config.files.map(({ path, mode, user, content }) => [
        path,
        mode,
        user,
        Buffer.from(content).toString(),
      ]),
      [
        ["/etc/a", 0o600, "core", "hello you"],
        ["/etc/b", 0o644, "root", "packed"],
      ],
    );
    assert.deepEqual(
      config.directories.map(({ path, mode, group }) => [path, mode, group]),
      [["/var/lib/data", 0o700, 5]],
    );
    assert.deepEqual(
      config.links.map(({ path, target }) => [path, target]),
      [["/etc/c", "a"]],
    );
    assert.deepEqual(
      config.units.map(({ name, enabled, command, masked }) => [name, enabled, command, masked]),
      [
        ["web.service", true, "start", false],
        ["x.service", undefined, undefined, true],
      ],
    );
    assert.deepEqual(config.users[0]?.groups, ["sudo"]);
    assert.deepEqual(config.groups, [{ name: "ops", gid: 2000, members: [], system: false }]);
  });

  test("is refused outside the subset, with the place and the path", () => {
    assert.deepEqual(told({ ...header, storage: { luks: [{ name: "x" }] } }), [
      "6:13 storage.luks: is not supported: disks are laid out by the image",
    ]);
    assert.deepEqual(told({ ignition: { version: "3.4.0", config: { merge: [{ source: "http://x" }] } } }), [
      "5:16 ignition.config.merge: is not supported: other configurations are not fetched: what is applied is what was validated",
    ]);
    assert.match(told(file({ source: "https://example.com/a" })).join(), /must be a data: URL/);
    assert.match(
      told({ ignition: { version: "2.3.0" } }).join(),
      /version: must be version 3\.0\.0 to 3\.6\.0/,
    );
    assert.match(told({ ...header, kernelArguments: { shouldExist: ["quiet"] } }).join(), /kernelArguments/);
    assert.match(told({ ...header, clevis: 1 }).join(), /there is no field "clevis"/);
    assert.match(
      told(file({ source: "data:,a", verification: { hash: `sha256-${"0".repeat(64)}` } })).join(),
      /not the hash/,
    );
    assert.match(told({ ...header, storage: { files: [{ path: "/usr/a" }] } }).join(), /read-only part/);
    assert.match(told({ storage: {} }).join(), /has no `ignition`/);
  });

  test("is JSON and nothing else", () => {
    for (const text of [
      '{"ignition": {"version": "3.4.0"},}',
      "{ignition: {version: 3.4.0}}",
      '{"ignition": {"version": "3.4.0"}} # more',
    ])
      assert.equal(readIgnition(text).config, undefined);
  });

  test("of any JSON is read or refused", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.constantFrom("storage", "systemd", "passwd"),
        (value, name) => {
          const { config, findings } = readIgnition(JSON.stringify({ ...header, [name]: value }));
          assert.ok(config !== undefined || findings.length > 0);
        },
      ),
    );
  });
});

test("data: URLs", () => {
  assert.equal(dataOf("data:,a%2Cb")?.toString(), "a,b");
  assert.equal(dataOf("data:text/plain;charset=utf-8;base64,aGk=")?.toString(), "hi");
  for (const wrong of ["data:a", "http://x", "data:,%zz", "data:;base64,%%"])
    assert.equal(dataOf(wrong), undefined);
});
