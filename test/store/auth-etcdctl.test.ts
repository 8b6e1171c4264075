// Debian's etcdctl makes users and roles, and asks as them: it says the same of the embedded server as of a real
// etcd 3.5.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { output, run } from "./support/etcdctl.ts";
import type { Command } from "./support/etcdctl.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";

const by = (user: string, ...argv: string[]): Command => run(`--user=${user}`, ...argv);
const root = (...argv: string[]): Command => by("root:r00t", ...argv);

const COMMANDS: readonly Command[] = [
  run("auth", "status"),
  run("auth", "enable"),
  run("user", "add", "root:r00t"),
  run("user", "add", "root:again"),
  run("user", "add", ":nameless"),
  { argv: ["user", "add", "ann", "--interactive=false"], input: "a\n" },
  run("user", "add", "ben", "--no-password"),
  run("user", "list"),
  run("user", "get", "ann"),
  run("user", "get", "root", "--detail"),
  run("user", "get", "nobody"),
  run("role", "add", "root"),
  run("role", "add", "staff"),
  run("role", "add", "staff"),
  run("role", "list"),
  run("role", "grant-permission", "staff", "readwrite", "staff/", "--prefix"),
  run("role", "grant-permission", "staff", "read", "motd"),
  run("role", "grant-permission", "staff", "write", "x", "z"),
  run("role", "grant-permission", "staff", "read", "zz", "--from-key"),
  run("role", "grant-permission", "staff", "read", "z", "a"),
  run("role", "grant-permission", "nothing", "read", "motd"),
  run("role", "grant-permission", "staff", "fly", "motd"),
  run("role", "get", "staff"),
  run("role", "get", "root"),
  run("role", "get", "nothing"),
  run("user", "grant-role", "ann", "staff"),
  run("user", "grant-role", "ann", "nothing"),
  run("user", "grant-role", "ben", "staff"),
  run("user", "grant-role", "root", "root"),
  run("auth", "enable"),
  run("auth", "enable"),
  run("auth", "status"),
  root("auth", "status"),
  by("root:wrong", "auth", "status"),
  by("ben:x", "get", "motd"),
  run("get", "motd"),
  run("put", "motd", "hello"),
  root("put", "motd", "hello"),
  by("ann:a", "get", "motd"),
  by("ann:a", "put", "motd", "bye"),
  by("ann:a", "put", "staff/1", "here", "--prev-kv"),
  by("ann:a", "get", "staff/", "--prefix"),
  by("ann:a", "get", "", "--prefix"),
  by("ann:a", "put", "y", "1"),
  by("ann:a", "get", "y"),
  by("ann:a", "del", "staff/", "--prefix"),
  by("ann:a", "del", "motd"),
  { argv: ["--user=ann:a", "txn"], input: 'mod("motd") > "0"\n\nput staff/2 there\n\n\n' },
  { argv: ["--user=ann:a", "txn"], input: 'mod("other") > "0"\n\nput staff/2 there\n\n\n' },
  { argv: ["--user=ann:a", "watch", "motd", "--rev=1"], stopAfter: 700 },
  { argv: ["--user=ann:a", "watch", "other"], stopAfter: 700 },
  by("ann:a", "user", "list"),
  by("ann:a", "user", "get", "ann"),
  by("ann:a", "user", "get", "root"),
  by("ann:a", "role", "get", "staff"),
  by("ann:a", "member", "list", "--write-out=fields"),
  by("ann:a", "alarm", "list"),
  by("ann:a", "compaction", "1"),
  root("role", "revoke-permission", "staff", "motd"),
  root("role", "revoke-permission", "staff", "motd"),
  root("role", "revoke-permission", "staff", "staff/", "--prefix"),
  by("ann:a", "get", "motd"),
  { argv: ["--user=root:r00t", "user", "passwd", "ann", "--interactive=false"], input: "new\n" },
  by("ann:a", "get", "y"),
  by("ann:new", "user", "get", "ann"),
  root("user", "revoke-role", "ann", "staff"),
  root("user", "revoke-role", "ann", "staff"),
  root("user", "revoke-role", "root", "root"),
  root("role", "delete", "staff"),
  root("role", "delete", "root"),
  root("user", "delete", "ann"),
  root("user", "delete", "root"),
  root("user", "list"),
  root("auth", "disable"),
  run("auth", "status"),
  run("get", "motd"),
  by("root:r00t", "get", "motd"),
];

const tools = await etcd35();

describe("etcdctl's users", { skip: "unavailable" in tools && tools.unavailable }, () => {
  if ("unavailable" in tools) return;
  const clients = { "of bookworm": "/usr/bin/etcdctl", "of trixie": tools.etcdctl };
  for (const [name, etcdctl] of Object.entries(clients)) {
    const skip = !existsSync(etcdctl) && `${etcdctl} is not installed (apt-get install etcd-client)`;
    test(`${name}: every command does and prints what it does with a real etcd`, { skip }, async () => {
      await using real = await realEtcd(tools.etcd, ["--bcrypt-cost=4", "--backend-batch-limit=1"]);
      await using ours = await embedded({ auth: { bcryptCost: 4 } });
      for (const command of COMMANDS) {
        const [expected, got] = await Promise.all(
          [real, ours].map(({ address }) => output(etcdctl, address, command)),
        );
        assert.equal(got, expected, command.argv.join(" "));
      }
    });
  }
});
