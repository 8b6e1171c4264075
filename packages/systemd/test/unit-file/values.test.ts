import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatTimespan,
  parseBoolean,
  parseSize,
  parseTimespan,
  quoteWord,
  splitWords,
  SystemdError,
} from "../../src/index.ts";

const isRefusal = (error: unknown): boolean =>
  error instanceof SystemdError && error.code === "invalid-value";

test("words follow systemd's quotes and escapes", () => {
  const cases: [value: string, words: string[]][] = [
    ["a  b\tc", ["a", "b", "c"]],
    ['"a b" \'c "d\'', ["a b", 'c "d']],
    ['a"b c"d', ["ab cd"]],
    ["\\x41\\102\\u00e9\\U0001F600\\n\\s", ["AB\u00e9\u{1F600}\n "]],
    ["\\xc3\\xa9", ["\u00e9"]],
    ['""', [""]],
    ["", []],
  ];
  for (const [value, words] of cases) {
    assert.deepEqual(
      splitWords(value).map((word) => word.text),
      words,
      value,
    );
  }
  assert.deepEqual(
    splitWords("a\\ b", "keep").map((word) => word.text),
    ["a\\", "b"],
  );
  assert.deepEqual(
    splitWords("a\\ b \\q\\x41", "relaxed").map((word) => word.text),
    ["a\\ b", "\\qA"],
  );
  assert.deepEqual(
    splitWords("  a 'b c'").map((word) => word.offset),
    [2, 4],
  );
});

test("open quotes, unknown escapes and final backslashes are refused with their offset", () => {
  for (const [value, offset] of [
    ["a 'b", 2],
    ["ab\\q", 2],
    ["ab\\", 2],
    ["a \\x00", 2],
    ["a \\xff", 2],
    ["\\ud800", 0],
  ] as const) {
    assert.throws(
      () => splitWords(value),
      (error) => isRefusal(error) && error instanceof SystemdError && error.offset === offset,
      value,
    );
  }
});

test("property: a quoted word is one word again", () => {
  const words = fc.array(
    fc.string({ unit: "grapheme" }).filter((word) => word.isWellFormed() && !word.includes("\0")),
  );
  fc.assert(
    fc.property(words, (list) => {
      assert.deepEqual(
        splitWords(list.map(quoteWord).join(" ")).map((word) => word.text),
        list,
      );
    }),
  );
});

test("booleans", () => {
  for (const text of ["1", "yes", "Y", "TRUE", "t", "on"]) assert.equal(parseBoolean(text), true);
  for (const text of ["0", "no", "n", "False", "f", "off"]) assert.equal(parseBoolean(text), false);
  for (const text of ["", "2", "ja", " yes"]) assert.throws(() => parseBoolean(text), isRefusal);
});

test("time spans are those of systemd.time(7), in microseconds", () => {
  const second = 1_000_000;
  const cases: [text: string, microseconds: number][] = [
    ["5min 20s", 320 * second],
    ["90", 90 * second],
    ["1.5h", 5400 * second],
    [".5s", 500_000],
    ["1y 12month", 2 * 31_557_600 * second],
    ["3hours 4m", 11_040 * second],
    ["2ms7us", 2007],
    ["1 2", 3 * second],
    ["1M", 2_629_800 * second],
    ["10\u00B5s", 10],
    ["0", 0],
    [" infinity ", Infinity],
  ];
  for (const [text, microseconds] of cases) assert.equal(parseTimespan(text), microseconds, text);
  assert.equal(parseTimespan("5", 1000), 5000);
  for (const text of ["", "-1", "5 parsecs", "12.34.56", "s", ".", "infinity 1s", "999999999y"]) {
    assert.throws(() => parseTimespan(text), isRefusal, text);
  }
});

test("property: a written time span reads back", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (microseconds) => {
      assert.equal(parseTimespan(formatTimespan(microseconds)), microseconds);
    }),
  );
  assert.equal(formatTimespan(Infinity), "infinity");
  assert.equal(formatTimespan(320_000_000), "5min 20s");
});

test("sizes count in powers of 1024, or of 1000", () => {
  assert.equal(parseSize("512M"), 512 * 1024 ** 2);
  assert.equal(parseSize("1.5G"), 1.5 * 1024 ** 3);
  assert.equal(parseSize("1K", 1000), 1000);
  assert.equal(parseSize("7"), 7);
  assert.equal(parseSize("7B"), 7);
  assert.equal(parseSize("infinity"), Infinity);
  for (const text of ["", "M", "1X", "-5", "1.2.3", "99E"])
    assert.throws(() => parseSize(text), isRefusal, text);
});
