import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { percentDecode, readForm } from "../../src/rest/form.ts";
import { readEntry, writeEntry } from "../../src/rest/journal.ts";
import { ancestors, cleanPath, isPath, parentOf, toBytes, toText } from "../../src/rest/paths.ts";
import { goJson, KeysRefusal } from "../../src/rest/refusal.ts";
import { readRequest, type KeysMethod, type KeysRequest } from "../../src/rest/request.ts";

const read = (method: KeysMethod, query: string, path = "/a"): KeysRequest =>
  readRequest(method, path, readForm("", query));

function refusal(act: () => unknown): readonly [code: string, reason: string] {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof KeysRefusal);
    return [error.refused, error.reason];
  }
  throw new Error("it was not refused");
}

describe("a request of the keys API", () => {
  test("reads what is asked for", () => {
    const request = read("PUT", "value=a+b%26c&ttl=5&prevExist=false&prevIndex=18446744073709551615&dir=T");
    assert.deepEqual(
      { value: request.value, ttl: request.ttl, prevExist: request.prevExist, dir: request.dir },
      { value: "a b&c", ttl: 5, prevExist: false, dir: true },
    );
    assert.equal(request.prevIndex, 18446744073709551615n);
    assert.equal(read("PUT", "ttl=").ttl, undefined);
    assert.equal(read("GET", "", "//x/./y/../z/").path, "/x/z");
  });

  test("takes a form's values before the query's", () => {
    assert.equal(readRequest("PUT", "/a", readForm("value=form", "value=query")).value, "form");
  });

  test("refuses in etcd's words", () => {
    const cases: readonly (readonly [query: string, code: string, reason: string])[] = [
      ["prevIndex=", "indexNotNumber", 'invalid value for "prevIndex"'],
      ["waitIndex=18446744073709551616", "indexNotNumber", 'invalid value for "waitIndex"'],
      ["recursive=maybe", "invalidField", 'invalid value for "recursive"'],
      ["recursive", "invalidField", 'invalid value for "recursive"'],
      ["wait=1", "invalidField", '"wait" can only be used with GET requests'],
      ["prevValue=", "previousValueRequired", '"prevValue" cannot be empty'],
      ["ttl=-1", "ttlNotNumber", 'invalid value for "ttl"'],
      ["ttl=9000000001", "ttlNotNumber", '"ttl" is at most 9000000000 seconds'],
      ["prevExist=", "invalidField", "invalid value for prevExist"],
      ["refresh=true&ttl=1&value=x", "valueOnRefresh", "A value was provided on a refresh"],
      ["refresh=true", "ttlRequired", "No TTL value set"],
      ["a=%zz", "invalidForm", 'invalid URL escape "%zz"'],
      ["a=1;b=2", "invalidForm", "invalid semicolon separator in query"],
    ];
    for (const [query, ...expected] of cases)
      assert.deepEqual(
        refusal(() => read("PUT", query)),
        expected,
        query,
      );
  });

  test("bounds paths", () => {
    assert.equal(refusal(() => read("GET", "", "/a".repeat(41)))[0], "invalidField");
    assert.equal(refusal(() => read("GET", "", `/${"a".repeat(4096)}`))[0], "invalidField");
    assert.equal(read("GET", "", "/a".repeat(40)).path.length, 80);
  });

  test("whatever comes is read or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (query, path) => {
        try {
          const { path: clean } = read("GET", query, path);
          assert.equal(clean === "" || isPath(clean), true);
        } catch (error) {
          assert.ok(error instanceof KeysRefusal);
        }
      }),
    );
  });
});

describe("paths", () => {
  test("are cleaned once and for all", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("/", ".", "a", "ü") }), (text) => {
        const clean = cleanPath(text);
        assert.equal(cleanPath(clean), clean);
        assert.ok(clean === "" || (clean.startsWith("/") && !clean.endsWith("/")));
        assert.equal(toText(toBytes(clean)), clean);
        const above = ancestors(clean);
        assert.equal(above.at(-1) ?? "", parentOf(clean));
      }),
    );
  });

  test("percent-encoding is undone as bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        fc.pre(text.isWellFormed());
        assert.equal(percentDecode(encodeURIComponent(text)), text);
      }),
    );
  });
});

describe("the journal", () => {
  test("comes back as it was written", () => {
    const entry = {
      action: "compareAndSwap",
      path: toBytes("/ü/\u0000"),
      dir: true,
      refresh: true,
      expires: { expiration: "2026-01-01T00:00:00.000Z", ttl: 3 },
    } as const;
    assert.deepEqual(readEntry(writeEntry(entry)), entry);
  });

  test("what is none is none", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          assert.equal(readEntry(bytes), undefined);
        },
      ),
    );
    assert.equal(readEntry(Buffer.from('{"action":"expire","path":"/a"}')), undefined);
  });
});

test("JSON is escaped as Go escapes it", () => {
  assert.equal(
    goJson({ a: '<&>\u2028\b\f\\b"\n' }),
    '{"a":"\\u003c\\u0026\\u003e\\u2028\\u0008\\u000c\\\\b\\"\\n"}\n',
  );
});
