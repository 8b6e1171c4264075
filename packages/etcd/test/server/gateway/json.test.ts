import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { JsonSplitter } from "../../../src/server/gateway/json-splitter.ts";
import {
  JsonError,
  JsonNumber,
  parseJson,
  quoteJson,
  type JsonValue,
} from "../../../src/server/gateway/json-value.ts";

/** What JSON.parse would have made of it. */
function plain(value: JsonValue | undefined): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, it]) => [name, plain(it)]));
  return Array.isArray(value) ? value.map((it: JsonValue) => plain(it)) : value;
}

/** The error, or undefined where there is none. Anything but a JsonError is a failure. */
function refusal(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof JsonError, String(error));
    return error.message;
  }
}

describe("JSON of the gateway", () => {
  test("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        assert.deepEqual(plain(parseJson(text)), structuredClone(JSON.parse(text)));
      }),
    );
  });

  test("refuses what JSON.parse refuses, and fails in no other way", () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 3, unit: "binary" }))
      .map(
        ([text, at, piece]) =>
          text.slice(0, at % (text.length + 1)) + piece + text.slice((at + 1) % text.length),
      );
    fc.assert(
      fc.property(damaged, (text) => {
        const refused = refusal(() => parseJson(text));
        const isJson = refusesNot(() => JSON.parse(text));
        if (isJson) assert.equal(refused, undefined, text);
        // What follows the first value is not looked at.
        if (refused !== undefined) assert.equal(isJson, false, text);
      }),
      { numRuns: 500 },
    );
  });

  test("keeps every digit of a number", () => {
    const value = parseJson('{"ID":7587865424232484003}') as ReadonlyMap<string, JsonValue>;
    assert.equal((value.get("ID") as JsonNumber).text, "7587865424232484003");
  });

  test("says in the words of Go what is wrong", () => {
    const cases: Readonly<Record<string, string>> = {
      "{": "unexpected EOF",
      '{"key"': "unexpected EOF",
      '{"key":"a",}': "invalid character '}' looking for beginning of object key string",
      '{"a" 1}': "invalid character '1' after object key",
      '{"a":1 "b"}': "invalid character '\"' after object key:value pair",
      '{"a":[1 2]}': "invalid character '2' after array element",
      '{"a":tru}': "invalid character '}' in literal true (expecting 'e')",
      '{"a":1.}': "invalid character '}' after decimal point in numeric literal",
      '{"a":"\\x"}': "invalid character 'x' in string escape code",
      '{"a":"\u0001"}': String.raw`invalid character '\x01' in string literal`,
      "'x'": String.raw`invalid character '\'' looking for beginning of value`,
      ["[".repeat(1002)]: "exceeded max depth",
    };
    for (const [text, message] of Object.entries(cases))
      assert.equal(
        refusal(() => parseJson(text)),
        message,
      );
  });

  test("nothing is no value", () => {
    assert.equal(parseJson(""), undefined);
    assert.equal(parseJson(" \r\n\t"), undefined);
  });

  test("writes strings as Go does", () => {
    assert.equal(quoteJson('a<b>&"\u2028'), '"a\\u003cb\\u003e\\u0026\\"\\u2028"');
  });
});

describe("a stream of JSON objects", () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 5 });

  test("is split into its objects, however it arrives", () => {
    fc.assert(
      fc.property(objects, fc.array(fc.integer({ min: 1, max: 9 })), (all, cuts) => {
        const texts = all.map((it) => JSON.stringify(it));
        const splitter = new JsonSplitter(1 << 20);
        const found: string[] = [];
        let bytes = Buffer.from(texts.join("\n"));
        for (const cut of cuts) {
          splitter.push(bytes.subarray(0, cut), (text) => found.push(text));
          bytes = bytes.subarray(cut);
        }
        splitter.push(bytes, (text) => found.push(text));
        assert.deepEqual(found, texts);
        assert.equal(splitter.isWithin, false);
      }),
    );
  });

  test("is refused where it is no object, and where one is too large", () => {
    assert.match(
      refusal(() => new JsonSplitter(99).push(Buffer.from('{"a":1} x'), () => undefined)) ?? "",
      /'x'/,
    );
    const splitter = new JsonSplitter(10);
    assert.match(
      refusal(() => splitter.push(Buffer.from('{"a":"0123456789'), () => undefined)) ?? "",
      /large/,
    );
  });

  test("garbage is refused or waits for its end; nothing else happens", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
        const splitter = new JsonSplitter(100);
        refusal(() => {
          for (const chunk of chunks) splitter.push(Buffer.from(chunk), (text) => parseJson(text));
        });
      }),
    );
  });
});

function refusesNot(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
