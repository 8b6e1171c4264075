import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { shellQuote, sshArgv } from "../../src/cli/ssh-command.ts";

const target = { address: "172.30.0.11", key: "/k", knownHosts: "/h", user: "root" };

test("a command goes as one word for the remote shell, without a terminal and without questions", () => {
  assert.deepEqual(sshArgv(target, { command: ["echo", "two words"], terminal: false }), [
    "ssh",
    ...["-i", "/k", "-o", "IdentitiesOnly=yes"],
    ...["-o", "UserKnownHostsFile=/h", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes"],
    ...["-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=5", "-o", "BatchMode=yes", "-T"],
    ...["root@172.30.0.11", "--", "echo 'two words'"],
  ]);
});

test("a login shell gets a terminal", () => {
  const argv = sshArgv({ ...target, key: undefined, knownHosts: undefined }, { command: [], terminal: true });
  assert.deepEqual(argv.slice(-2), ["-t", "root@172.30.0.11"]);
  assert.ok(!argv.includes("-i"));
});

test("a real shell reads back every word", () => {
  const word = fc.string({ unit: fc.constantFrom(..."ab'\"\\$`!* \n;&|<>()~#é"), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const line = `for word in ${words.map(shellQuote).join(" ")}; do printf '%s\\0' "$word"; done`;
      const { stdout } = spawnSync("sh", ["-c", line], { encoding: "utf8" });
      assert.deepEqual(stdout.split("\0").slice(0, -1), words);
    }),
    { numRuns: 20 },
  );
});
