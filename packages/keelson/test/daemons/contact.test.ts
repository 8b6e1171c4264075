import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { contactOf } from "../../src/daemons/contact.ts";
import { ClusterView } from "../../src/registry/cluster-view.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";

test("who says that it hears nothing counts its watching anew, and who hears something does not", async () => {
  const clock = new SimulatedClock();
  const store = new SimulatedStore(clock);
  await using view = ClusterView.open(store.door(), { scope: "machines", log: silentLog, clock });
  await clock.advance(10_000);
  const since = view.continuousSinceMs;
  const around = { clock, leaseMs: 6000, promise: () => view.interrupt() };
  assert.deepEqual(contactOf(clock.now() - 1500, around), { hasContact: true, ageMs: 1500 });
  assert.equal(view.continuousSinceMs, since);
  assert.deepEqual(contactOf(clock.now() - 2000, around), { hasContact: false, ageMs: 2000 });
  assert.equal(view.continuousSinceMs, undefined);
  assert.deepEqual(contactOf(undefined, around), { hasContact: false, ageMs: null });
  await clock.advance(5000);
  assert.ok((view.continuousSinceMs ?? 0) > 10_000);
});
