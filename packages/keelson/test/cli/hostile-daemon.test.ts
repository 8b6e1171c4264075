// A daemon that answers anything but what it should, and words that would play with a terminal.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { harmless } from "../../src/cli/colour.ts";
import { createOutput } from "../../src/cli/output.ts";
import { createProgress } from "../../src/cli/progress.ts";
import { run } from "../../src/cli/program.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { keys } from "../../src/model/keys.ts";
import { statusCodec } from "../../src/model/schedule.ts";
import { file, fill, runApi } from "../api/running-api.ts";
import { machineId, statusRecord } from "../registry/records.ts";
import { recordingTerminal } from "./recording-terminal.ts";

const commands: readonly (readonly string[])[] = [
  ["status"],
  ["list-units"],
  ["list-machines"],
  ["jobs"],
  ["runs", "a"],
  ["timers"],
  ["versions", "a"],
  ["diff", "a"],
  ["why", "a"],
  ["timeline", "a"],
  ["events"],
  ["what-if", "--lose", "m1"],
  ["settings"],
  ["rebalance", "--yes"],
  ["machine", "cordon", "m1"],
  ["machine", "drain", "m1", "--yes"],
  ["rollout", "status", "a"],
  ["rollout", "pause", "a"],
  ["rollback", "a", "--yes"],
  ["update", "a", "next.txt", "--yes"],
  ["doctor"],
  ["op", "ls"],
  ["undo", "--yes"],
];
/** Words of a failure of our own. */
const ours = /TypeError|RangeError|Cannot read|is not (?:a function|iterable|defined)|^ {4}at /m;

const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "no JSON": (response) => response.end("<html>"),
  "half of an answer": (response) => void response.write('{"revision":1,"units":[', () => response.destroy()),
  null: (response) => response.end("null"),
  "a list": (response) => response.end("[]"),
  "an empty object": (response) => response.end("{}"),
  "other types": (response) =>
    response.end(
      '{"revision":"x","units":7,"machines":{},"jobs":null,"timers":[1],"instances":"","versions":{}}',
    ),
  "lists of nothing": (response) =>
    response.end(
      '{"revision":1,"units":[null],"machines":[{}],"jobs":[{}],"timers":[{}],"instances":[{}],"versions":[{}]}',
    ),
  "bytes that are no text": (response) => response.end(new Uint8Array([0xff, 0, 0xfe, 10])),
  "an error of another shape": (response) => {
    response.statusCode = 500;
    response.end('{"error":"\u001b]0;owned\u0007"}');
  },
  "a reset": (response) => response.destroy(),
};

describe("a daemon that answers anything", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-hostile-"));
    await writeFile(join(folder, "next.txt"), "[Service]\nExecStart=/bin/true\n");
  });
  after(() => rm(folder, { recursive: true }));

  for (const [what, answer] of Object.entries(answers)) {
    test(`${what}: every command ends with an error in words`, async () => {
      const socket = join(folder, "daemon.sock");
      await using fake = createServer((request, response) => {
        request.resume();
        response.setHeader("content-type", "application/json");
        answer(response);
      });
      await new Promise<void>((resolve) => fake.listen(socket, resolve));
      for (const argv of commands) {
        const recording = recordingTerminal({
          env: { KEEL_ENDPOINT: `unix:${socket}`, USER: "ada" },
          cwd: folder,
        });
        const code = await run(argv, recording);
        const said = `${argv.join(" ")}: ${code}\n${recording.stdout()}${recording.stderr()}`;
        assert.ok(code >= 0 && code < 20, said);
        assert.doesNotMatch(said, ours, said);
        // oxlint-disable-next-line no-control-regex
        assert.doesNotMatch(said, /[\u001b\u0007]/, said);
      }
    });
  }
});

describe("absurd arguments", () => {
  test("are refused in words, or about nothing", async () => {
    await using running = await runApi();
    fill(running.store).machine(1);
    await running.operate({ kind: "submit", files: [file("a.service")], desired: "launched" });
    const words = [
      "",
      "-",
      "--",
      "%",
      "\u001b[2J",
      "../a.service",
      "a".repeat(5000),
      "1e999",
      "-1",
      "a@@.service",
      "\u202ea",
    ];
    for (const argv of commands.filter((one) => one.length > 1)) {
      for (const word of words) {
        const recording = recordingTerminal({
          env: { KEEL_ENDPOINT: `unix:${running.api.socket}`, USER: "ada" },
          cwd: "/",
        });
        const code = await run([...argv.slice(0, -1), word, "--timeout", "1ms"], recording);
        const said = `${argv.join(" ")} ${word.slice(0, 50)}: ${code}\n${recording.stdout()}${recording.stderr()}`;
        assert.doesNotMatch(said, ours, said);
      }
    }
  });
});

describe("words that would play with a terminal", () => {
  test("any text leaves nothing but colours, tabs and line ends", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.boolean(), (text, isEscaped) => {
        const shown = harmless(isEscaped ? `\u001b${text}\u009b\u001b]0;x\u0007` : text);
        // oxlint-disable-next-line no-control-regex
        const rest = shown.replaceAll(/\u001b\[[0-9;]*m/g, "").replaceAll(/[\t\n]/g, "");
        assert.doesNotMatch(rest, /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
    assert.equal(harmless("\u001b[32mok\u001b[39m\tx\n"), "\u001b[32mok\u001b[39m\tx\n");
    assert.equal(harmless("\u001b[2J\u001b]52;c;eA==\u0007"), "^[[2J^[]52;c;eA==^G");
    assert.equal(harmless("a\rb\u202ec"), "a^Mb\\u202ec");
  });

  test("documents, lists and progress are harmless", async () => {
    const recording = recordingTerminal({ errIsTTY: true, env: { NO_COLOR: "1" } });
    const output = createOutput(recording, "text");
    output.document({}, () => "\u001b[2J\n");
    output.list({ name: "x", type: "x", items: [], text: () => "\u001b]0;x\u0007\n" });
    output.event("x", {}, () => "\u009b2J\n");
    assert.equal(recording.stdout(), "^[[2J\n^[]0;x^G\n\\x9b2J\n");
    using progress = createProgress(recording, new SimulatedClock(), false);
    progress.note("\u001bc");
    const step = progress.step("a\u001b[5A");
    step.update("one\ntwo\u0007");
    step.done();
    assert.match(recording.stderr(), /\^\[c\n/);
    assert.match(recording.stderr(), /a\^\[\[5A: one two\^G/);
  });

  test("a machine’s reason reaches the terminal without its sequences, and a program as it is", async () => {
    await using running = await runApi();
    const { machine, order } = fill(running.store);
    machine(1);
    await running.operate({ kind: "submit", files: [file("a.service")], desired: "launched" });
    order(1, "a.service");
    const reason = "\u001b]0;owned\u0007\u001b[1A";
    running.put(
      keys.status(machineId(1), "a.service"),
      statusCodec.encode(statusRecord("a.service", { active: "failed", health: "failed", reason })),
    );
    const keel = async (...argv: string[]): Promise<string> => {
      const recording = recordingTerminal({
        env: { KEEL_ENDPOINT: `unix:${running.api.socket}` },
        outIsTTY: true,
      });
      await run(argv, recording);
      return recording.stdout();
    };
    for (const argv of [
      ["status"],
      ["why", "a"],
      ["list-units", "--fields", "unit,reason"],
      ["timeline", "a"],
    ]) {
      const said = await keel(...argv);
      for (const sequence of ["\u001b]", "\u0007", "\u001b[1A"])
        assert.ok(!said.includes(sequence), `${argv.join(" ")}: ${JSON.stringify(said)}`);
    }
    assert.match(await keel("why", "a"), /\^\[\]0;owned/);
    assert.match(await keel("list-units", "-o", "json"), /\\u001b\]0;owned/);
  });
});
