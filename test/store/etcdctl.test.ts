// Debian's etcdctl, of bookworm and of trixie, says the same of the embedded server as of a real etcd.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";

/** Arguments, standard input, and milliseconds after which it is interrupted. */
interface Command {
  readonly argv: readonly string[];
  readonly input?: string;
  readonly stopAfter?: number;
}

const run = (...argv: string[]): Command => ({ argv });

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

async function output(
  etcdctl: string,
  address: string,
  { argv, input, stopAfter }: Command,
): Promise<string> {
  const child = spawn(etcdctl, [`--endpoints=${address}`, ...argv], {
    env: { ...process.env, ETCDCTL_API: "3" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // Each by itself: which of them is read first is chance.
  const text = { out: "", err: "" };
  child.stdout.on("data", (piece: Buffer) => (text.out += piece.toString()));
  child.stderr.on("data", (piece: Buffer) => (text.err += piece.toString()));
  // It may end without having read its input.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopAfter ?? 10_000);
  const code = await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  return `${String(code)}\n${normalise(`${text.out}${text.err}`, address)}`;
}

/** Without what differs from server to server and from run to run. */
function normalise(text: string, address: string): string {
  return text
    .replaceAll(address, "ADDRESS")
    .replaceAll(/"(ClusterID|MemberID|RaftTerm|ID|cluster_id|member_id|raft_term)" ?: ?\d+/g, '"$1": N')
    .replaceAll(/took = \S+/g, "took = T")
    .replaceAll(/"PeerURL" : .*\n/g, "")
    .split("\n")
    .filter((line) => !line.startsWith('{"level":"warn"'))
    .join("\n");
}
