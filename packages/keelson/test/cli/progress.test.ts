import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { stripColour } from "../../src/cli/colour.ts";
import { createProgress } from "../../src/cli/progress.ts";
import { recordingTerminal } from "./recording-terminal.ts";

describe("progress", () => {
  test("in a pipe: a line when a step ends, one each five seconds while it moves, no escapes", async () => {
    const clock = new SimulatedClock();
    const terminal = recordingTerminal();
    const progress = createProgress(terminal, clock, false);
    const step = progress.step("build");
    for (let i = 0; i < 12; i++) {
      await clock.advance(1000);
      step.update(`${i} MB`);
    }
    step.done();
    assert.equal(
      terminal.stderr(),
      "… build: 4 MB (5.0 s)\n… build: 9 MB (10.0 s)\n✓ build: 11 MB (12.0 s)\n",
    );
    assert.equal(terminal.stdout(), "");
  });

  test("on a terminal: running steps are drawn anew, finished ones stay", async () => {
    const clock = new SimulatedClock();
    const terminal = recordingTerminal({ errIsTTY: true });
    const progress = createProgress(terminal, clock, false);
    const first = progress.step("first");
    const second = progress.step("second");
    await clock.advance(250);
    second.done("two");
    first.fail();
    progress[Symbol.dispose]();
    const screen = drawn(terminal.stderr());
    assert.deepEqual(screen, ["✗ first  250 ms", "✓ second: two  250 ms"]);
  });

  test("a long line is cut to the terminal, and nothing moves after the end", async () => {
    const clock = new SimulatedClock();
    const terminal = recordingTerminal({ errIsTTY: true, columns: () => 30 });
    const progress = createProgress(terminal, clock, false);
    progress.step("x".repeat(100));
    for (const line of drawn(terminal.stderr())) assert.ok(Array.from(line).length <= 30, line);
    progress[Symbol.dispose]();
    const before = terminal.stderr();
    await clock.advance(10_000);
    assert.equal(terminal.stderr(), before);
  });

  test("JSON output has none", () => {
    const terminal = recordingTerminal();
    createProgress(terminal, new SimulatedClock(), true).step("x").done();
    assert.equal(terminal.stderr(), "");
  });

  test("a task that throws fails its step", async () => {
    const terminal = recordingTerminal();
    const progress = createProgress(terminal, new SimulatedClock(), false);
    await assert.rejects(progress.run("task", () => Promise.reject(new Error("no"))));
    assert.equal(terminal.stderr(), "✗ task (0 ms)\n");
  });
});

/** What a terminal shows after all of it: lines, with the cursor moved up and the rest erased. */
function drawn(text: string): string[] {
  const lines: string[] = [];
  // oxlint-disable-next-line no-control-regex
  for (const part of text.split(/(\u001B\[\d+A\u001B\[J)/)) {
    // oxlint-disable-next-line no-control-regex
    const up = /^\u001B\[(\d+)A/.exec(part);
    if (up) lines.splice(lines.length - Number(up[1]));
    else lines.push(...part.split("\n").slice(0, -1).map(stripColour));
  }
  return lines;
}
