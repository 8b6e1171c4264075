import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseStartEnding } from "../../src/host/start-ending.ts";

const invocation = "0123456789abcdef".repeat(2);
const line = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ __REALTIME_TIMESTAMP: "1767225600123456", INVOCATION_ID: invocation, ...fields });

test("how a start job ended is read from systemd’s journal entry", () => {
  assert.deepEqual(parseStartEnding(line({ JOB_RESULT: "done" })), {
    at: 1767225600123,
    succeeded: true,
    invocation,
  });
  assert.equal(parseStartEnding(line({ JOB_RESULT: "failed" }))?.succeeded, false);
  assert.equal(parseStartEnding(line({ JOB_RESULT: "done", INVOCATION_ID: [1] }))?.invocation, "");
});

test("what tells of no end is passed over", () => {
  for (const text of ["", "{", "null", "[]", "7", line({}), line({ JOB_RESULT: 3 })])
    assert.equal(parseStartEnding(text), undefined, text);
  assert.equal(parseStartEnding(line({ JOB_RESULT: "done", __REALTIME_TIMESTAMP: "soon" })), undefined);
  fc.assert(
    fc.property(fc.json(), (text) => {
      parseStartEnding(text);
    }),
  );
});
