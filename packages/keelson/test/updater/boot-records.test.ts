import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { BootRecords, parseBootRecords } from "../../src/updater/boot-records.ts";
import { endOfLines, FailedVersions, usedUpVersions } from "../../src/updater/failed-versions.ts";

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const bootLine = (n: number, version: string, trial: { left: number; done: number } | null = null): string =>
  `${JSON.stringify({ kind: "boot", boot: id(n), version, slot: "a", trial, at: 100 + n, commandLine: "quiet" })}\n`;
const verdictLine = (n: number, verdict: string, reasons: string[] = []): string =>
  `${JSON.stringify({ kind: "verdict", boot: id(n), at: 200 + n, verdict, reasons })}\n`;

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-boots-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a boot, its verdict and its end are told together, in order", () => {
  const text =
    bootLine(1, "1.0.0") +
    bootLine(2, "1.1.0", { left: 2, done: 1 }) +
    verdictLine(2, "failed", ["keeld is not up"]) +
    `${JSON.stringify({ kind: "end", boot: id(1), at: 150 })}\n`;
  const [first, second] = parseBootRecords(text);
  assert.equal(first?.endedAt, 150);
  assert.equal(first?.trial, undefined);
  assert.deepEqual(second?.trial, { left: 2, done: 1 });
  assert.deepEqual(second?.verdict, { verdict: "failed", reasons: ["keeld is not up"], at: 202 });
});

test("torn and foreign lines are left out, the others stay", () => {
  const whole = bootLine(1, "1.0.0") + bootLine(2, "1.1.0") + verdictLine(2, "good");
  fc.assert(
    fc.property(fc.nat(whole.length), fc.string({ maxLength: 80 }), (cut, garbage) => {
      const found = parseBootRecords(`${whole.slice(0, cut)}\n${garbage}\n${bootLine(3, "1.2.0")}`);
      assert.equal(found.at(-1)?.version, "1.2.0");
      assert.ok(found.length <= 3);
    }),
  );
  fc.assert(fc.property(fc.jsonValue(), (value) => void parseBootRecords(JSON.stringify(value))));
});

test("a verdict goes behind a torn line, and a file without end is read from its end", () =>
  inFolder(async (folder) => {
    const path = join(folder, "boots.jsonl");
    const records = new BootRecords(folder);
    assert.deepEqual(await records.read(), []);
    await writeFile(path, `${"x".repeat(700_000)}\n${bootLine(1, "1.0.0")}{"kind":"bo`);
    await records.addVerdict(id(1), { verdict: "good", reasons: [], at: 9 });
    await appendFile(path, bootLine(2, "1.0.0"));
    const found = await records.read();
    assert.deepEqual(
      found.map(({ boot }) => boot),
      [id(1), id(2)],
    );
    assert.equal(found[0]?.verdict?.verdict, "good");
  }));

test("versions whose tries are used up, with what was told of them", () => {
  const entries = [
    { version: "1.0.0" },
    { version: "1.1.0", tries: { left: 0, done: 3 } },
    { version: "1.2.0", tries: { left: 0, done: 0 } },
    { version: "1.3.0", tries: { left: 1, done: 2 } },
    { version: "1.4.0", tries: { left: 0, done: 3 } },
  ];
  const records = parseBootRecords(
    bootLine(1, "1.1.0", { left: 2, done: 1 }) +
      verdictLine(1, "failed", ["a.service has failed"]) +
      bootLine(2, "1.1.0", { left: 1, done: 2 }) +
      bootLine(3, "1.1.0", { left: 0, done: 3 }) +
      verdictLine(3, "failed", ["a.service has failed"]),
  );
  const used = usedUpVersions(entries, "1.0.0", records);
  assert.deepEqual(used, [
    { version: "1.1.0", tries: 3, reasons: ["a.service has failed"], boot: id(3) },
    { version: "1.4.0", tries: 3, reasons: ["it never got as far as the first unit"] },
  ]);
  const silent = parseBootRecords(bootLine(4, "1.4.0", { left: 0, done: 3 }));
  assert.match(usedUpVersions(entries, "1.0.0", silent)[1]?.reasons[0] ?? "", /cut off/);
  assert.deepEqual(
    usedUpVersions(entries, "1.4.0", records).map(({ version }) => version),
    ["1.1.0"],
  );
});

test("failed versions: kept, found, listed, forgotten; garbage is none", () =>
  inFolder(async (folder) => {
    const failed = new FailedVersions(folder);
    assert.deepEqual(await failed.list(), []);
    const one = { version: "1.1.0", at: 5, tries: 3, reasons: ["x"], boot: id(1), journal: "a\nb\n" };
    await failed.record(one);
    await failed.record({ ...one, version: "1.0.9", at: 7 });
    await writeFile(join(folder, "failed/1.2.0.json"), "{");
    await writeFile(join(folder, "failed/1.3.0.json"), JSON.stringify(one));
    assert.deepEqual(
      (await failed.list()).map(({ version }) => version),
      ["1.1.0", "1.0.9"],
    );
    assert.deepEqual(await failed.get("1.1.0"), one);
    assert.equal(await failed.get("../boots"), undefined);
    assert.equal(await failed.get("1.3.0"), undefined);
    await failed.forget("1.1.0");
    assert.equal(await failed.get("1.1.0"), undefined);
  }));

test("the end of a journal is whole lines within its bounds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 20, unit: "grapheme" })),
      fc.integer({ min: 1, max: 100 }),
      (lines, bytes) => {
        const text = lines.map((line) => `${line.replaceAll("\n", " ")}\n`).join("");
        const end = endOfLines(text, bytes);
        assert.ok(Buffer.byteLength(end) <= bytes);
        assert.ok(text.endsWith(end));
        assert.ok(end === "" || end === text || text[text.length - end.length - 1] === "\n");
      },
    ),
  );
});
