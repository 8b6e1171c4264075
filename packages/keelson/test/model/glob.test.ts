import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseGlob } from "../../src/model/glob.ts";

const matches = (pattern: string, name: string): boolean | undefined => parseGlob(pattern)?.matches(name);

describe("globs", () => {
  const cases: readonly (readonly [pattern: string, name: string, expected: boolean])[] = [
    ["web.service", "web.service", true],
    ["web.service", "web1service", false],
    ["web@*.service", "web@1.service", true],
    ["web@*.service", "web@.service", true],
    ["*", "anything.mount", true],
    ["w?b.service", "web.service", true],
    ["w?b.service", "wb.service", false],
    ["web@[0-9].service", "web@7.service", true],
    ["web@[^0-9].service", "web@7.service", false],
    ["web@[a\\-c].service", "web@-.service", true],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["*b*b", "abcb", true],
    ["*b*b", "abc", false],
  ];
  for (const [pattern, name, expected] of cases) {
    test(`${pattern} ${expected ? "matches" : "does not match"} ${name}`, () => {
      assert.equal(matches(pattern, name), expected);
    });
  }

  test("refuses malformed patterns", () => {
    for (const pattern of ["", "web[", "web[a-", "web[]", "web\\", "[a-]"]) {
      assert.equal(parseGlob(pattern), undefined, pattern);
    }
  });

  test("no pattern tries every way there is", () => {
    // It would not come to an end.
    assert.equal(matches(`${"a*".repeat(100)}b`, "a".repeat(255)), false);
  });

  test("agrees with a regular expression", () => {
    const letter = fc.constantFrom("a", "b", "-");
    const part = fc.constantFrom("a", "b", "-", "*", "?");
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 8 }),
        fc.array(letter, { maxLength: 8 }),
        (parts, letters) => {
          const expression = parts.map((it) => (it === "*" ? ".*" : it === "?" ? "." : it)).join("");
          const name = letters.join("");
          assert.equal(matches(parts.join(""), name), new RegExp(`^${expression}$`).test(name));
        },
      ),
    );
  });
});
