import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Command } from "commander";
import { errorCatalogue } from "../../src/base/error-catalogue.ts";
import { commandAliases, commandTable } from "../../src/cli/command-table.ts";
import { candidatesFor, clusterIn } from "../../src/cli/completion.ts";
import { moveLeadingOptions } from "../../src/cli/leading-options.ts";
import { fullParser } from "../../src/cli/parser.ts";
import { findCommand, run } from "../../src/cli/program.ts";
import { recordingTerminal } from "./recording-terminal.ts";

async function keel(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = recordingTerminal({ env: { KEEL_ENDPOINT: "unix:/nonexistent/keel-test.sock" } });
  const code = await run(argv, terminal);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr() };
}

describe("keel", () => {
  test("--help names every command once, and each has its own help", async () => {
    const { code, stdout } = await keel("--help");
    assert.equal(code, 0);
    for (const { name, summary, hidden } of commandTable) {
      assert.equal(stdout.includes(`  ${name} `) && stdout.includes(summary), hidden !== true, name);
      const help = await keel(name, "--help");
      assert.equal(help.code, 0, name);
      assert.match(help.stdout, new RegExp(`^Usage: keel ${name}`));
    }
  });

  test("every command and every subcommand takes --cluster and -o, and has a description", async () => {
    const program = await fullParser(commandTable);
    const leaves = (command: Command): Command[] =>
      command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
    for (const command of program.commands.flatMap(leaves)) {
      const options = command.options.map((option) => option.long);
      assert.ok(options.includes("--cluster") && options.includes("--output"), command.name());
      assert.ok(command.description().endsWith(".") || command.name() === "completion", command.name());
    }
  });

  test("aliases name commands", () => {
    for (const alias of Object.keys(commandAliases)) assert.ok(findCommand(alias), alias);
    assert.equal(findCommand("toString"), undefined);
  });

  test("options before the command count as its own", () => {
    const words = ["--cluster", "a", "-o", "json", "list-units", "--full"];
    assert.deepEqual(moveLeadingOptions(words), ["list-units", "--cluster", "a", "-o", "json", "--full"]);
    assert.deepEqual(moveLeadingOptions(["-ojson", "version"]), ["version", "-ojson"]);
  });

  test("wrong use: exit 2, error, hint, code on stderr and nothing on stdout", async () => {
    for (const argv of [
      ["nonsense"],
      ["list-units", "--nonsense"],
      ["why"],
      ["list-units", "-o", "xml"],
      ["--nonsense"],
      ["op", "nope"],
    ]) {
      const { code, stdout, stderr } = await keel(...argv);
      assert.deepEqual([code, stdout], [2, ""], argv.join(" "));
      assert.match(stderr, /^error: .+\nhint: .+\ncode: KEEL-104 /, argv.join(" "));
    }
  });

  test("a near miss is named", async () => {
    assert.match((await keel("list-unist")).stderr, /did you mean `keel list-units`\?/);
    assert.match((await keel("cordon", "m1")).stderr, /did you mean `keel machine cordon`\?/);
  });

  test("no daemon: exit 9, and in JSON the error is JSON", async () => {
    const { code, stderr } = await keel("list-machines");
    assert.equal(code, 9);
    assert.match(stderr, /error: no daemon answers at \/nonexistent\/keel-test.sock/);
    const json = await keel("list-machines", "-o", "json");
    assert.equal(json.code, 9);
    const { version, error } = JSON.parse(json.stderr) as {
      version: number;
      error: { code: string; hint: string };
    };
    assert.deepEqual([version, error.code], [1, "KEEL-601"]);
  });

  test("explain prints every code, in text and in JSON", async () => {
    for (const code of Object.keys(errorCatalogue))
      assert.match((await keel("explain", code)).stdout, new RegExp(`^${code}: `));
    const json = JSON.parse((await keel("explain", "201", "-o", "json")).stdout) as Record<string, unknown>;
    assert.deepEqual([json.version, json.code, json.exitCode], [1, "KEEL-201", 4]);
    const lines = (await keel("explain", "-o", "ndjson")).stdout.trim().split("\n");
    assert.equal(lines.length, Object.keys(errorCatalogue).length);
    for (const line of lines) assert.equal((JSON.parse(line) as { type: string }).type, "code");
  });

  test("KEEL_ENDPOINT that cannot be read is named", async () => {
    const terminal = recordingTerminal({ env: { KEEL_ENDPOINT: "ftp://x" } });
    assert.equal(await run(["list-units"], terminal), 2);
    assert.match(terminal.stderr(), /KEEL_ENDPOINT: "ftp:\/\/x" is no endpoint/);
  });
});

describe("completion", () => {
  const nobody = { daemon: () => Promise.reject(new Error("none")) };
  const values = async (...words: string[]): Promise<string[]> =>
    (await candidatesFor(words, nobody)).map(({ value }) => value);

  test("offers commands, options, subcommands, formats and codes; without a daemon no names", async () => {
    assert.deepEqual(await values("list-m"), ["list-machines"]);
    assert.ok((await values("start", "--")).includes("--no-wait"));
    assert.deepEqual(await values("op", "sh"), ["show"]);
    assert.deepEqual(await values("list-units", "-o", ""), ["text", "json", "ndjson"]);
    assert.deepEqual(await values("explain", "KEEL-20"), ["KEEL-201", "KEEL-202", "KEEL-203", "KEEL-204"]);
    assert.deepEqual(await values("stop", ""), []);
    assert.ok(!(await values("")).includes("complete"));
  });

  test("names come from the cluster that the words name", () => {
    assert.equal(clusterIn(["stop", "--cluster", "lab", "w"]), "lab");
    assert.equal(clusterIn(["stop", "--cluster=lab", ""]), "lab");
    assert.equal(clusterIn(["stop", "--cluster", ""]), undefined);
  });

  test("scripts exist for the three shells", async () => {
    for (const shell of ["bash", "zsh", "fish"])
      assert.match((await keel("completion", shell)).stdout, /complete/);
    assert.equal((await keel("completion", "tcsh")).code, 2);
  });
});
