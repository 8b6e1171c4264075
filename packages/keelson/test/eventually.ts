import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a test waits for what has to come. No test may depend on it: a busy machine is slow. */
const PATIENCE_MS = 30_000;

/** Waits until `holds` is true; fails when patience is over, saying what was awaited. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `${what}: not within ${PATIENCE_MS} ms`);
    await sleep(5);
  }
}
