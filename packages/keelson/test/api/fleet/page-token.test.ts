import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { pageLimit, pageOf } from "../../../src/api/fleet/page-token.ts";

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `u${String(from + index).padStart(5, "0")}`);
const self = (name: string): string => name;
const tokenOf = (limit: number, page: number): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(limit, 0);
  bytes.writeUInt16LE(page, 2);
  return bytes.toString("base64url");
};

describe("pages", () => {
  test("everything comes once, a hundred at a time", () => {
    fc.assert(
      fc.property(fc.nat(450), (count) => {
        const all = names(count);
        const seen: string[] = [];
        let token: string | undefined;
        do {
          const page = pageOf(all, token === undefined ? [] : [token], self);
          assert.ok(page.items.length <= pageLimit);
          seen.push(...page.items);
          token = page.next;
        } while (token !== undefined);
        assert.deepEqual(seen, all);
      }),
    );
  });

  test("what comes and goes between two pages shifts nothing", () => {
    const all = names(250);
    const first = pageOf(all, [], self);
    const later = ["a-new-one", ...all.slice(50)];
    const second = pageOf(later, [first.next ?? ""], self);
    assert.equal(second.items[0], "u00100");
    assert.equal(second.items.at(-1), "u00199");
  });

  test("fleet’s own tokens count pages", () => {
    const page = pageOf(names(250), [tokenOf(100, 3)], self);
    assert.deepEqual([page.items[0], page.items.length, page.next], ["u00200", 50, undefined]);
    assert.deepEqual(pageOf(names(10), [tokenOf(100, 9)], self).items, []);
  });

  for (const [what, tokens, words] of [
    ["two tokens", [tokenOf(100, 1), tokenOf(100, 2)], /too many values/],
    ["an empty one", [""], /EOF/],
    ["no base64", ["!!!"], /illegal base64/],
    ["three bytes", ["AAAA"], /EOF/],
    ["another limit", ["EwBMLg=="], /token limit must be 100/],
    ["page 0", [tokenOf(100, 0)], /greater than zero/],
    ["a very long one", ["A".repeat(5000)], /illegal/],
  ] as const) {
    test(`refused: ${what}`, () => {
      assert.throws(() => pageOf(names(3), tokens, self), { code: "KEEL-582", message: words });
    });
  }
});
