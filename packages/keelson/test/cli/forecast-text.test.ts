import assert from "node:assert/strict";
import { test } from "node:test";
import { plain } from "../../src/cli/colour.ts";
import { forecastText } from "../../src/cli/forecast-text.ts";

const machines = { a: "m1", b: "m2" };

test("moves, what is down, what stays and why", () => {
  const text = forecastText(
    {
      machines,
      moves: [
        { instance: "one.service", from: "a", to: "b", because: "fewest units (0)", isDown: true },
        { instance: "all.service", from: "a", because: "runs on every machine that fits", isDown: false },
      ],
      stranded: [{ instance: "pin.service", from: "a", reason: "no machine fits" }],
      isLastMachine: true,
    },
    plain,
  );
  assert.equal(
    text,
    `! pin.service  stays    no machine fits
~ one.service  m1 → m2  fewest units (0); down while it moves
~ all.service  leaves   runs on every machine that fits
2 of 3 instances can move; 1 is down meanwhile; 1 fits nowhere else; no other machine takes new units.
`,
  );
});

test("nothing to move", () => {
  const text = forecastText({ machines, moves: [], stranded: [], isLastMachine: false }, plain);
  assert.equal(text, "Nothing has to move.\n");
});
