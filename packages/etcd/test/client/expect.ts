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

/** How long a test waits for what has to come. No test may depend on it: a busy machine is slow. */
export const PATIENCE_MS = 30_000;

/** Waits until `holds` is true; fails when patience is over, saying what was awaited. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedMs > PATIENCE_MS) assert.fail(`${what}: not within ${PATIENCE_MS} ms`);
    await sleep(5);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
