import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { isKeptItem, keepEnglish } from "../../../src/local/tree/node-locales.ts";

/** A binary with an ICU package inside, items in the order of their names as ICU wants it. */
function binaryWith(names: readonly string[], before = 40): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt16LE(32, 0);
  header.writeUInt16LE(0x27da, 2);
  header.write("CmnD", 12, "latin1");
  const table = Buffer.alloc(4 + names.length * 8);
  table.writeUInt32LE(names.length, 0);
  let nameAt = table.length;
  let at = table.length + names.reduce((sum, name) => sum + name.length + 1, 0);
  for (const [index, name] of names.entries()) {
    table.writeUInt32LE(nameAt, 4 + index * 8);
    table.writeUInt32LE(at, 8 + index * 8);
    nameAt += name.length + 1;
    at += 16;
  }
  const contents = names.map((_, index) => Buffer.alloc(16, index + 1));
  const text = Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1");
  return Buffer.concat([
    Buffer.alloc(before, "CmnD"),
    header,
    table,
    text,
    ...contents,
    Buffer.alloc(8, 0xee),
  ]);
}

/** The names that the package's table still leads to, with the first byte of what lies there. */
function itemsOf(binary: Buffer, before = 40): Map<string, number> {
  const table = before + 32;
  const found = new Map<string, number>();
  for (let index = 0; index < binary.readUInt32LE(table); index++) {
    const nameAt = table + binary.readUInt32LE(table + 4 + index * 8);
    const name = binary.toString("latin1", nameAt, binary.indexOf(0, nameAt));
    found.set(name, binary[table + binary.readUInt32LE(table + 8 + index * 8)] ?? 0);
  }
  return found;
}

void suite("Node’s languages", () => {
  void test("English, the root of all, and what is no language stay", () => {
    for (const name of [
      "root.res",
      "en.res",
      "en_GB.res",
      "pool.res",
      "zoneinfo64.res",
      "supplementalData.res",
      "coll/ucadata.icu",
      "brkitr/word.brk",
      "zone/en.res",
      "nfkc.nrm",
    ])
      assert.equal(isKeptItem(`icudt78l/${name}`), true, name);
    for (const name of [
      "de.res",
      "zh_Hant_TW.res",
      "enx.res",
      "coll/zh.res",
      "curr/fil.res",
      "translit/root.res",
      "rbnf/en.res",
      "gb18030-2022.cnv",
      "brkitr/cjdict.dict",
      "brkitr/Thai_model4_heavy.res",
    ])
      assert.equal(isKeptItem(`icudt78l/${name}`), false, name);
  });

  void test("what is left out is blank, and the rest is where it was", () => {
    const names = ["i/de.res", "i/en.res", "i/fr.res", "i/root.res", "i/zone/de.res", "i/zone/root.res"];
    const binary = binaryWith(names);
    const length = binary.length;
    assert.equal(keepEnglish(binary), 48);
    assert.equal(binary.length, length);
    assert.deepEqual(
      [...itemsOf(binary)],
      [
        ["i/en.res", 2],
        ["i/root.res", 4],
        ["i/zone/root.res", 6],
      ],
    );
    for (const gone of ["de.res", "fr.res"]) assert.equal(binary.includes(gone), false);
    for (const blank of [1, 3, 5]) assert.equal(binary.includes(Buffer.alloc(16, blank)), false);
    assert.equal(keepEnglish(binary), 0, "a second time changes nothing");
  });

  void test("a binary without such data stays as it is, whatever it holds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 200 }), (bytes, cut) => {
        const garbage = Buffer.from(bytes);
        const before = Buffer.from(garbage);
        assert.equal(keepEnglish(garbage), 0);
        assert.deepEqual(garbage, before);
        const short = binaryWith(["i/de.res", "i/root.res"]).subarray(0, cut);
        assert.doesNotThrow(() => keepEnglish(short));
      }),
    );
  });
});
