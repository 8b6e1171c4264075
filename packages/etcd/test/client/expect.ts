import assert from "node:assert/strict";
import { EtcdError } from "../../src/client/index.ts";
import type { EtcdErrorCode } from "../../src/client/index.ts";

/** Asserts that a call fails with an EtcdError of this code; the error. */
export async function failsWith(code: EtcdErrorCode, promise: Promise<unknown>): Promise<EtcdError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof EtcdError, `not an EtcdError: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`should have failed with ${code}`);
}

/** Waits until `holds` is true; fails after `withinMs`, saying what was awaited. The time it took, in ms. */
export async function eventually(what: string, holds: () => boolean, withinMs = 5000): Promise<number> {
  const startedMs = performance.now();
  while (!holds()) {
    if (performance.now() - startedMs > withinMs) assert.fail(`${what}: not within ${withinMs} ms`);
    await sleep(5);
  }
  return performance.now() - startedMs;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
