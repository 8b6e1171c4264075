import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matcher } from "../../src/manager/pattern.ts";
import { unitNameOfPath, unitPath } from "../../src/manager/unit-path.ts";

test("unit names and object paths lead to each other", () => {
  assert.equal(unitPath("0a-b_c@1.service"), "/org/freedesktop/systemd1/unit/_30a_2db_5fc_401_2eservice");
  assert.equal(unitNameOfPath("/org/freedesktop/systemd1/job/1"), undefined);
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9:_.\\@-]{1,40}$/), (name) => {
      assert.equal(unitNameOfPath(unitPath(name)), name);
      assert.match(unitPath(name), /^[A-Za-z0-9_/]+$/);
    }),
  );
});

test("patterns are those of the shell", () => {
  const cases: [pattern: string, fits: string[], not: string[]][] = [
    ["web.service", ["web.service"], ["webxservice", "a.web.service"]],
    ["web@*.service", ["web@1.service", "web@.service"], ["web.service", "web@1.timer"]],
    ["k-?.[st]*", ["k-1.service", "k-2.timer"], ["k-10.service", "k-1.path"]],
    ["[!a]*", ["b"], ["a", "ab", ""]],
    ["a\\x2db*", ["a\\x2db.service"], ["a-b.service"]],
  ];
  for (const [pattern, fits, not] of cases) {
    const matches = matcher(["exact", pattern]);
    assert.ok(matches("exact"));
    for (const name of fits) assert.ok(matches(name), `${pattern} ${name}`);
    for (const name of not) assert.ok(!matches(name), `${pattern} ${name}`);
  }
  assert.equal(matcher([])("a"), false);
});
