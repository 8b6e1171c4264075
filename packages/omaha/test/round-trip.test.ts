// Whatever can be said is read back as it was said, and printed the same way twice.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { printRequest, printResponse, readAsUpdateEngine, readRequest, readResponse } from "../src/index.ts";
import { requests, responses } from "./messages.ts";
import { recordings } from "./recordings.ts";

/** Longer than real messages, since every field may be there. */
const runs = { numRuns: 300 };
const isAscii = (text: string): boolean => /^[\n\x20-\x7e]*$/.test(text);

describe("what is printed is read back", () => {
  test("of requests", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const text = printRequest(request);
        assert.ok(isAscii(text));
        assert.deepEqual(readRequest(text), request);
        assert.deepEqual(readRequest(Buffer.from(text)), request);
        assert.equal(printRequest(readRequest(text)), text);
      }),
      runs,
    );
  });

  test("of responses", () => {
    fc.assert(
      fc.property(responses, (response) => {
        const text = printResponse(response);
        assert.ok(isAscii(text));
        assert.deepEqual(readResponse(text), response);
        assert.equal(printResponse(readResponse(text)), text);
        assert.ok(["update", "noupdate", "invalid"].includes(readAsUpdateEngine(response).outcome));
      }),
      runs,
    );
  });

  test("of the recorded messages", () => {
    for (const { name, request, response } of recordings) {
      assert.deepEqual(readRequest(printRequest(readRequest(request))), readRequest(request), name);
      assert.deepEqual(readResponse(printResponse(readResponse(response))), readResponse(response), name);
    }
  });
});
