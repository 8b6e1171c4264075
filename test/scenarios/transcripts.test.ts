// Plays every transcript of testdata/ and compares. KEELSON_UPDATE=1 writes down what was seen instead.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseTranscript, playTranscript } from "./transcript.ts";

const folder = join(import.meta.dirname, "testdata");
const seed = 7;

describe("scenarios", () => {
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith(".txt"))
    .toSorted()) {
    test(name, async () => {
      const path = join(folder, name);
      const expected = readFileSync(path, "utf8");
      const actual = await playTranscript(parseTranscript(expected), seed);
      if (process.env["KEELSON_UPDATE"] === "1") writeFileSync(path, actual);
      else assert.equal(actual, expected);
    });
  }
});
