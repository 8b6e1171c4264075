import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { shellQuote, sshArgv } from "../../src/cli/ssh-command.ts";

const target = { address: "172.30.0.11", options: ["-i", "/k"], user: "root" };

test("a command goes as one word for the remote shell, without a terminal", () => {
  const options = "-i /k -o LogLevel=ERROR -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -T";
  const expected = ["ssh", options.split(" "), "root@172.30.0.11", "--", "echo 'two words'"];
  assert.deepEqual(sshArgv(target, { command: ["echo", "two words"], terminal: false }), expected.flat());
});

test("a login shell gets a terminal", () => {
  assert.deepEqual(sshArgv(target, { command: [], terminal: true }).slice(-2), ["-t", "root@172.30.0.11"]);
});

test("a real shell reads back every word", () => {
  const word = fc.string({ unit: fc.constantFrom(...Array.from("ab'\"\\$`!* \n;&|<>()~#é")), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const line = `for word in ${words.map(shellQuote).join(" ")}; do printf '%s\\0' "$word"; done`;
      const { stdout } = spawnSync("sh", ["-c", line], { encoding: "utf8" });
      assert.deepEqual(stdout.split("\0").slice(0, -1), words);
    }),
    { numRuns: 20 },
  );
});
