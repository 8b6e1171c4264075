// What only a host with time to spare can show: where keeld comes back before its lease has run out, and nothing else
// takes its turn on the processors.
import { AssertionError } from "node:assert/strict";
import type { TestContext } from "node:test";

/** Of a processor's time that a program gets which asks for all of one, on a host with time to spare. */
const SPARE = 0.7;
const LOOK_MS = 400;

/** Whether a program that computes now gets less than its processor. Computes for less than half a second. */
export function isHostBusy(): boolean {
  const before = process.cpuUsage();
  const began = performance.now();
  while (performance.now() - began < LOOK_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - began) < SPARE;
}

/** A check of what cannot be tried twice: on a busy host its failure is told and let be. */
export function unlessBusy(t: TestContext, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof AssertionError) || !isHostBusy()) throw error;
    tell(t, error);
  }
}

/**
 * Has what it is handed tried three times, and passes when it passes once. On a host that is busy all the while the
 * third failure is told and let be: units rightly stop when their machine is too slow to keep its lease.
 */
export async function withTimeToSpare(t: TestContext, attempt: () => Promise<void>): Promise<void> {
  let wasBusy = true;
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      wasBusy &&= isHostBusy();
      if (tries < 3) continue;
      if (!wasBusy) throw error;
      return tell(t, error);
    }
  }
}

function tell(t: TestContext, error: AssertionError): void {
  t.diagnostic(`this host is too busy to show it: ${error.message.split("\n")[0] ?? ""}`);
}
