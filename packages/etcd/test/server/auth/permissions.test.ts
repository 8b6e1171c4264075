import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { PermissionSchema, Permission_Type } from "../../../src/proto/generated/authpb_pb.ts";
import { rightsOf } from "../../../src/server/auth/permissions.ts";

/** All keys that the properties look at: enough to tell ranges over these letters apart. */
const LETTERS = ["\0", "a", "b", "ÿ"];
const UNIVERSE = LETTERS.flatMap((one) => [one, ...LETTERS.flatMap((two) => [one + two, `${one}${two}a`])]);
const BOUNDS = ["", "\0", "a", "a\0", "ab", "b", "ba", "ÿ", "ÿb"];

const bytes = (text: string) => Buffer.from(text, "latin1");
const grant = fc.record({
  type: fc.constantFrom(Permission_Type.READ, Permission_Type.WRITE, Permission_Type.READWRITE),
  key: fc.constantFrom(...BOUNDS),
  rangeEnd: fc.constantFrom(...BOUNDS),
});

/** Is a key in a range as requests and permissions have it? */
function isIn(name: string, key: string, rangeEnd: string): boolean {
  if (key === "") return false;
  if (rangeEnd === "") return name === key;
  return name >= key && (rangeEnd === "\0" || name < rangeEnd);
}

describe("permissions", () => {
  it("cover a range exactly when each key of it is in one of theirs (property)", () => {
    const ranges = UNIVERSE.flatMap((key) => BOUNDS.map((rangeEnd) => ({ key, rangeEnd })));
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 6 }), (grants) => {
        const rights = rightsOf(
          grants.map(({ type, key, rangeEnd }) =>
            create(PermissionSchema, { permType: type, key: bytes(key), rangeEnd: bytes(rangeEnd) }),
          ),
        );
        for (const [may, types] of [
          [rights.read, [Permission_Type.READ, Permission_Type.READWRITE]],
          [rights.write, [Permission_Type.WRITE, Permission_Type.READWRITE]],
        ] as const) {
          const given = grants.filter(({ type }) => (types as readonly number[]).includes(type));
          const permitted = (name: string) => given.some(({ key, rangeEnd }) => isIn(name, key, rangeEnd));
          for (const { key, rangeEnd } of ranges) {
            const isEmpty = rangeEnd !== "" && rangeEnd !== "\0" && rangeEnd <= key;
            const asked = isEmpty ? [key] : UNIVERSE.filter((name) => isIn(name, key, rangeEnd));
            const isOpen = rangeEnd === "\0";
            const expected =
              asked.every(permitted) &&
              // The universe is finite: an open range needs one that is open.
              (!isOpen || given.some((one) => one.key !== "" && one.rangeEnd === "\0"));
            assert.equal(may.covers(key, rangeEnd), expected, JSON.stringify({ key, rangeEnd, given }));
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("of touching ranges cover what lies across them", () => {
    const ranges = [
      ["b", "c"],
      ["a", "b"],
      ["c", ""],
      ["c\0", "d"],
    ];
    const { read } = rightsOf(
      ranges.map(([key = "", rangeEnd = ""]) =>
        create(PermissionSchema, { key: bytes(key), rangeEnd: bytes(rangeEnd) }),
      ),
    );
    assert.ok(read.covers("a", "d"));
    assert.ok(!read.covers("a", "d\0"));
    assert.ok(!read.covers("a", "\0"));
  });
});
