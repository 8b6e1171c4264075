import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { actionCodes, decodeFailure, encodeFailure, readRequest } from "../src/index.ts";
import { recording } from "./recordings.ts";

describe("failures", () => {
  test("that were recorded are told apart from their flags", () => {
    const code = readRequest(recording("held 2").request).apps[0]?.events[0]?.errorCode ?? 0;
    assert.deepEqual(decodeFailure(code), {
      code: 34,
      name: "kActionCodeOmahaResponseInvalid",
      cause: "server",
      meaning: "The server’s answer lacks something, or has a status that is neither ok nor noupdate.",
      flags: ["own-server"],
    });
    assert.equal(decodeFailure(44).cause, "fallback");
    assert.equal(decodeFailure(268_435_485).name, "kActionCodeDownloadOperationHashMismatch");
  });

  test("carry several flags, also as a negative number", () => {
    const { code, flags } = decodeFailure(-2_147_483_648 + 2 ** 30 + 2 ** 29 + 10);
    assert.deepEqual([code, flags], [10, ["dev-mode", "resumed", "test-image"]]);
    assert.deepEqual(decodeFailure(2 ** 31 + 10), decodeFailure(-(2 ** 31) + 10));
  });

  test("of HTTP have its status", () => {
    const { name, http, cause, meaning } = decodeFailure(2 ** 28 + 2503);
    assert.deepEqual([name, http, cause], ["kActionCodeOmahaRequestHTTPResponseBase", 503, "server"]);
    assert.match(meaning, /HTTP 503\.$/);
    assert.equal(decodeFailure(2407).cause, "network");
    assert.match(decodeFailure(2000).meaning, /could not be reached/);
  });

  test("that are unknown say so", () => {
    assert.equal(decodeFailure(0).meaning, "No reason was given.");
    assert.equal(decodeFailure(4711).meaning, "Code 4711, which update_engine does not know.");
    assert.equal(decodeFailure(4711).cause, "unknown");
  });

  test("are encoded as they are decoded", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (code) => {
        assert.equal(encodeFailure(decodeFailure(code)), code);
      }),
    );
  });

  test("have a name, a cause and a sentence each", () => {
    assert.deepEqual([...actionCodes.keys()], [...Array.from({ length: 44 }, (_, place) => place + 1), 100]);
    for (const { name, meaning } of actionCodes.values()) {
      assert.match(name, /^kActionCode[A-Z][A-Za-z]+$/);
      assert.match(meaning, /^[A-Z].*\.$/);
    }
    assert.equal(new Set([...actionCodes.values()].map(({ meaning }) => meaning)).size, actionCodes.size);
  });
});
