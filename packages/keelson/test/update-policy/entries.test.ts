import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decodeEntry, encodeEntry } from "../../src/update-policy/entries.ts";
import type { Entry } from "../../src/update-policy/entries.ts";
import { Ledger } from "../../src/update-policy/ledger.ts";
import { configuration, ledger, noon, report, request } from "./fleet-under-test.ts";

const machine = { at: noon, application: "com.example.app", machine: "m1" };
const group = { at: noon, application: "com.example.app", group: "prod", version: "2.0.0" };
const examples: readonly Entry[] = [
  { kind: "seen", ...machine },
  {
    kind: "seen",
    ...machine,
    reason: "slots",
    group: "prod",
    version: "1",
    names: "",
    profile: "a\nb",
    proven: true,
    boot: 7,
  },
  { kind: "granted", ...machine, version: "2.0.0", until: noon + 1 },
  { kind: "moved", ...machine, state: "installed" },
  { kind: "moved", ...machine, state: "proving", until: noon },
  { kind: "ended", ...machine, how: "failed", counted: true, code: 44, fellBack: true, words: "verity" },
  { kind: "ended", ...machine, how: "lapsed" },
  { kind: "began", ...group, back: true },
  { kind: "halted", ...group, by: "share", failed: 1, results: 2 },
  { kind: "resumed", ...group, who: "ada" },
  { kind: "cleared", ...machine, who: "ada" },
  { kind: "forgotten", ...machine },
  { kind: "clock", at: noon, ahead: 3_600_000 },
];

describe("entries", () => {
  for (const entry of examples) {
    test(`${entry.kind}: ${encodeEntry(entry)}`, () => {
      assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
      assert.ok(!encodeEntry(entry).includes("\n"));
    });
  }

  test("garbage is refused with KEEL-402, and nothing else happens", () => {
    const refused = (line: string) => {
      try {
        decodeEntry(line);
        return undefined;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    for (const line of [
      "",
      "{}",
      "[]",
      '["s"]',
      '["x",1]',
      '["t",1,-1]',
      '["t",1,2,3]',
      '["s","1","a","b"]',
      "null",
    ])
      assert.equal(refused(line), "KEEL-402", line);
    fc.assert(fc.property(fc.string(), (line) => assert.equal(refused(line), "KEEL-402")));
    fc.assert(
      fc.property(fc.constantFrom(...examples), fc.nat(), fc.jsonValue(), (entry, place, value) => {
        const values = JSON.parse(encodeEntry(entry)) as unknown[];
        values[place % values.length] = value;
        const code = refused(JSON.stringify(values));
        assert.ok(code === undefined || code === "KEEL-402");
      }),
    );
  });

  test("an entry of a machine that nothing brought is refused", () => {
    const one = ledger();
    assert.throws(() => one.apply({ kind: "granted", ...machine, version: "2.0.0", until: 1 }), {
      code: "KEEL-402",
    });
    assert.throws(() => one.apply({ kind: "seen", ...machine }), { code: "KEEL-402" });
  });
});

describe("snapshots", () => {
  const lines = (): string[] => {
    const one = ledger();
    for (let number = 0; number < 5; number++) one.check(request(number), noon);
    one.report(report(1, "hashMismatch"), noon);
    return [...one.snapshot()];
  };

  test("a line that is missing, doubled or cut is refused", () => {
    const whole = lines();
    const restore = (some: readonly string[]) => Ledger.restore(some, configuration());
    assert.deepEqual([...restore(whole).snapshot()], whole);
    for (const place of whole.keys()) {
      const without = whole.toSpliced(place, 1);
      const doubled = whole.toSpliced(place, 0, whole[place] ?? "");
      const cut = whole.toSpliced(place, 1, (whole[place] ?? "").slice(0, -3));
      assert.throws(() => restore(without), { code: "KEEL-402" }, whole[place]);
      assert.throws(() => restore(doubled), { code: "KEEL-402" }, whole[place]);
      assert.throws(() => restore(cut), { code: "KEEL-402" }, whole[place]);
    }
  });

  test("a frozen ledger stays as it was while the ledger goes on", () => {
    const one = ledger();
    for (let number = 0; number < 300; number++) one.check(request(number), noon);
    const before = [...one.snapshot()];
    const frozen = one.freeze();
    for (let number = 0; number < 600; number++)
      one.check(request(number, { version: "1.5.0" }), noon + 9999);
    for (let number = 0; number < 100; number++)
      one.act(
        { do: "forget", application: "com.example.system", machine: request(number).machine, who: "ada" },
        noon,
      );
    assert.deepEqual([...frozen.lines()], before);
  });
});
