// Debian's etcdctl, of bookworm and of trixie, says the same of the embedded server as of a real etcd.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { output, run } from "./support/etcdctl.ts";
import type { Command } from "./support/etcdctl.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";

const COMMANDS: readonly Command[] = [
  run("put", "a", "1"),
  run("put", "a", "2", "--prev-kv"),
  { argv: ["put", "from-input"], input: "a value\nof two lines" },
  run("put", "b/1", "one"),
  run("put", "b/2", "two"),
  run("get", "a"),
  run("get", "a", "--rev=2"),
  run("get", "a", "--rev=99"),
  run("get", "b/", "--prefix"),
  run("get", "b/", "--prefix", "--keys-only"),
  run("get", "b/", "--prefix", "--print-value-only", "--limit=1"),
  run("get", "b/", "--prefix", "--count-only", "--write-out=fields"),
  run("get", "a", "c", "--sort-by=MODIFY", "--order=DESCEND"),
  run("get", "b/1", "--from-key"),
  run("get", "a", "-w", "fields"),
  run("put", "a", "--ignore-value", "--prev-kv"),
  run("put", "nothing", "--ignore-value"),
  {
    argv: ["txn"],
    input: 'mod("a") > "0"\nvalue("b/1") = "one"\n\nput a 3\nget b/ --prefix\ndel b/1\n\nget a\n\n',
  },
  { argv: ["txn"], input: 'version("b/1") != "0"\n\nput a 4\n\nget a\n\n' },
  { argv: ["txn"], input: "\nput a 1\nput a 2\n\n\n" },
  run("del", "b/", "--prefix", "--prev-kv"),
  run("del", "nothing"),
  { argv: ["watch", "a", "--rev=1"], stopAfter: 700 },
  { argv: ["watch", "b/", "--prefix", "--rev=1", "--prev-kv"], stopAfter: 700 },
  run("compaction", "6"),
  run("compaction", "6"),
  run("compaction", "6000"),
  run("get", "a", "--rev=3"),
  { argv: ["watch", "a", "--rev=2"], stopAfter: 700 },
  run("lease", "grant", "1000", "--write-out=fields"),
  run("lease", "timetolive", "1234"),
  run("lease", "revoke", "1234"),
  run("lease", "keep-alive", "--once", "1234"),
  run("put", "k", "v", "--lease=1234"),
  run("member", "list", "--write-out=fields"),
  run("endpoint", "health"),
  run("alarm", "list"),
  run("alarm", "disarm"),
];

const tools = await etcd35();

describe("etcdctl", { skip: "unavailable" in tools && tools.unavailable }, () => {
  if ("unavailable" in tools) return;
  const clients = { "of bookworm": "/usr/bin/etcdctl", "of trixie": tools.etcdctl };
  for (const [name, etcdctl] of Object.entries(clients)) {
    const skip = !existsSync(etcdctl) && `${etcdctl} is not installed (apt-get install etcd-client)`;
    test(`${name}: every command does and prints what it does with a real etcd`, { skip }, async () => {
      await using real = await realEtcd(tools.etcd);
      await using ours = await embedded();
      for (const command of COMMANDS) {
        const expected = await output(etcdctl, real.address, command);
        const got = await output(etcdctl, ours.address, command);
        assert.equal(got, expected, command.argv.join(" "));
      }
    });
  }
});
