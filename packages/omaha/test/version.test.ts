import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compareVersions, matchesVersionPrefix, parseVersion, plainId } from "../src/index.ts";
import type { Version } from "../src/index.ts";

const version = (text: string): Version => {
  const parsed = parseVersion(text);
  assert.ok(parsed, text);
  return parsed;
};
const order = (a: string, b: string): number => Math.sign(compareVersions(version(a), version(b)));

const versions = fc
  .tuple(
    fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
    fc.option(
      fc.array(fc.constantFrom("alpha", "beta", "1", "2", "10", "rc-1"), { minLength: 1, maxLength: 2 }),
    ),
    fc.option(fc.constantFrom("nightly-20220823-2100", "a.b")),
  )
  .map(
    ([numbers, pre, build]) =>
      `${numbers.join(".")}${pre ? `-${pre.join(".")}` : ""}${build === null ? "" : `+${build}`}`,
  );

describe("versions", () => {
  test("are ordered by numbers, then pre-releases", () => {
    const ordered = [
      "0.0.0.0",
      "1-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0",
      "1.2.3",
      "1.2.3.4",
      "1.4",
      "1.005",
      "1.10",
      "3340.0.0-beta",
      "3340.0.0+nightly-20220823-2100",
    ];
    for (const [place, older] of ordered.entries())
      for (const newer of ordered.slice(place + 1)) {
        assert.equal(order(older, newer), -1, `${older} < ${newer}`);
        assert.equal(order(newer, older), 1, `${newer} > ${older}`);
      }
    for (const [a, b] of [
      ["1.2", "1.2.0.0"],
      ["1.001", "1.1"],
      ["1.0.0+a", "1.0.0+b"],
    ] as const)
      assert.equal(order(a, b), 0, `${a} = ${b}`);
  });

  test("are a total order", () => {
    fc.assert(
      fc.property(versions, versions, versions, (a, b, c) => {
        assert.equal(order(a, a), 0);
        assert.equal(order(a, b) + order(b, a), 0);
        if (order(a, b) <= 0 && order(b, c) <= 0) assert.ok(order(a, c) <= 0, `${a} ${b} ${c}`);
      }),
    );
  });

  test("that are none are not read", () => {
    const none = [
      "",
      "x",
      "1.",
      ".1",
      "1..2",
      "1.2-",
      "1 ",
      "-1",
      "1.2.3.4.5.6.7.8.9",
      "1".repeat(16),
      `1.${"0".repeat(200)}`,
    ];
    for (const text of none) assert.equal(parseVersion(text), undefined, text);
  });

  test("match the prefix that a client asks for", () => {
    const cases: readonly [string, string, boolean][] = [
      ["1.2.3.4", "1.2.3", true],
      ["1.2.34", "1.2.3", false],
      ["1.2.3", "1.2.", true],
      ["1.2", "1.2.0", true],
      ["1.2.3", "", true],
      ["1.2.3", "1.2.3$", true],
      ["1.2.3.4", "1.2.3$", false],
      ["1.2.3-beta", "1.2.3$", false],
      ["1.2.3-beta", "1.2.3-beta$", true],
      ["1.2.3", "one", false],
      ["1.2.3", "$", false],
    ];
    for (const [text, prefix, expected] of cases)
      assert.equal(matchesVersionPrefix(version(text), prefix), expected, `${text} for ${prefix}`);
  });
});

test("ids are compared without braces and capitals", () => {
  assert.equal(plainId("{E96281A6-D1AF-4bde-9a0a-97b76e56dc57}"), "e96281a6-d1af-4bde-9a0a-97b76e56dc57");
  assert.equal(plainId("com.Example.App"), "com.example.app");
  assert.equal(plainId("{"), "{");
});
