import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ledger } from "../../src/update-policy/ledger.ts";
import { decodeEntry, encodeEntry } from "../../src/update-policy/entries.ts";
import type { Entry } from "../../src/update-policy/entries.ts";
import {
  HOUR,
  MINUTE,
  app,
  configuration,
  ledger,
  machineId,
  noon,
  open,
  report,
  request,
  told,
} from "./fleet-under-test.ts";

describe("ledger: one machine", () => {
  test("is given an update, takes it, and is current", () => {
    const one = ledger();
    assert.equal(told(one.check(request(1), noon)), "update 2.0.0");
    for (const event of ["downloading", "downloaded", "installed"] as const) {
      one.report(report(1, event), noon + MINUTE);
      assert.deepEqual(one.why(app, machineId(1), noon + MINUTE), {
        code: "updating",
        version: "2.0.0",
        state: event,
        until: noon + MINUTE + HOUR,
      });
    }
    one.report(report(1, "complete", { version: "2.0.0" }), noon + 2 * MINUTE);
    assert.equal(told(one.check(request(1, { version: "2.0.0" }), noon + 2 * MINUTE)), "current");
    const state = one.state.group(app, "prod");
    assert.equal(state?.taken, 0);
    const { granted, ok, failed } = state?.rollouts.get("2.0.0") ?? {};
    assert.deepEqual({ granted, ok, failed }, { granted: 1, ok: 1, failed: 0 });
  });

  test("limit 10 under 1,000 checks gives exactly 10", () => {
    const one = ledger({ policy: { ...open, atOnce: 10 } });
    const answers = Array.from({ length: 1000 }, (_, machine) => told(one.check(request(machine), noon)));
    assert.equal(answers.filter((answer) => answer === "update 2.0.0").length, 10);
    assert.equal(answers.filter((answer) => answer === "slots").length, 990);
  });

  test("entries make the same ledger again, byte for byte", () => {
    const live = ledger({ policy: { ...open, atOnce: 3 } });
    const log: Entry[] = [];
    for (let machine = 0; machine < 20; machine++)
      log.push(...live.check(request(machine), noon + machine).entries);
    log.push(...live.report(report(1, "hashMismatch"), noon + 100).entries);
    log.push(...live.report(report(2, "downloading"), noon + 200).entries);
    const replayed = new Ledger(configuration());
    for (const entry of log) replayed.apply(decodeEntry(encodeEntry(entry)));
    assert.deepEqual([...replayed.snapshot()], [...live.snapshot()]);
    const restored = Ledger.restore(live.snapshot(), configuration());
    assert.deepEqual([...restored.snapshot()], [...live.snapshot()]);
  });
});
