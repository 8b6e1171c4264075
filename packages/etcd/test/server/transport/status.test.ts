// What a client is told of errors that nobody has put in words for it.
import assert from "node:assert/strict";
import { constants } from "node:buffer";
import { test } from "node:test";
import { GRPC_STATUS } from "../../../src/errors.ts";
import { statusOf } from "../../../src/server/transport/status.ts";

test("an answer that is too large for a string is refused as that, whoever finds out", () => {
  const most = constants.MAX_STRING_LENGTH;
  for (const make of [() => "x".repeat(most + 1), () => Buffer.allocUnsafe(most + 1).toString("latin1")]) {
    const error = thrownBy(make);
    const { code, message } = statusOf(error);
    assert.equal(code, GRPC_STATUS.RESOURCE_EXHAUSTED);
    assert.match(message, /larger than 512 MiB/);
  }
});

test("what else goes wrong is an error of the server", () => {
  assert.deepEqual(statusOf(new Error("odd")), { code: GRPC_STATUS.INTERNAL, message: "odd" });
  assert.deepEqual(statusOf("odd"), { code: GRPC_STATUS.INTERNAL, message: "odd" });
});

function thrownBy(make: () => string): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  return undefined;
}
