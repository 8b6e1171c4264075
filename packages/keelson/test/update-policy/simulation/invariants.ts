// What must hold of every entry, judged by entries alone: no counter of the ledger is believed.
import assert from "node:assert/strict";
import type { UpdatePolicy } from "../../../src/model/update-service.ts";
import type { Entry } from "../../../src/update-policy/entries.ts";

export class Watch {
  readonly #policy: UpdatePolicy;
  readonly live = new Set<string>();
  readonly halted = new Set<string>();
  readonly #begun: number[] = [];
  readonly #onDemand = new Set<Entry>();
  #last = 0;

  constructor(policy: UpdatePolicy) {
    this.#policy = policy;
  }

  /** Grants of a person's wish do not count for the period. */
  excuse(entries: readonly Entry[]): void {
    for (const entry of entries) this.#onDemand.add(entry);
  }

  see(entry: Entry): void {
    assert.ok(entry.at >= this.#last, "the ledger's clock never goes back");
    this.#last = entry.at;
    switch (entry.kind) {
      case "granted": {
        assert.ok(
          !this.halted.has(entry.version),
          `${entry.version} is halted and was given to ${entry.machine}`,
        );
        assert.ok(!this.#policy.paused, "the group is paused");
        this.#period(entry);
        this.#hold(entry.machine);
        return;
      }
      case "moved":
        if (entry.until !== undefined) this.#hold(entry.machine);
        return;
      case "ended":
        this.live.delete(entry.machine);
        return;
      case "forgotten":
        this.live.delete(entry.machine);
        return;
      case "halted":
        this.halted.add(entry.version);
        return;
      case "resumed":
        this.halted.delete(entry.version);
        return;
      case "began":
      case "cleared":
      case "clock":
      case "seen":
    }
  }

  #hold(machine: string): void {
    this.live.add(machine);
    const { atOnce } = this.#policy;
    if (atOnce !== null)
      assert.ok(this.live.size <= atOnce, `${this.live.size} of ${atOnce} slots are taken`);
  }

  #period(entry: Entry): void {
    const { perPeriod } = this.#policy;
    this.#begun.push(entry.at);
    if (perPeriod === null || this.#onDemand.has(entry)) return;
    const since = entry.at - perPeriod.seconds * 1000;
    const within = this.#begun.filter((at) => at > since).length;
    assert.ok(
      within <= perPeriod.count,
      `${within} began within ${perPeriod.seconds} s, ${perPeriod.count} may`,
    );
  }
}
