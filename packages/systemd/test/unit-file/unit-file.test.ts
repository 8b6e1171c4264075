import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { positionInValue, SystemdError, UnitFile } from "../../src/index.ts";

const WEB = `# The page
[Unit]
Description=Web page
After=network.target \\
  # neither this nor the next line counts
  ; really
  time-sync.target

[Service]
Environment=A=1 "B=two words"
Environment=
Environment=C=3
ExecStart=/bin/web \\\\
Restart = always
TimeoutStopSec=1min 30s
MemoryMax=1.5G

[Unit]
Documentation=man:web(1)
`;

function refusal(run: () => unknown): SystemdError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof SystemdError, String(error));
    return error;
  }
  throw new Error("nothing was refused");
}

test("a file is read with its repetitions, continuations and comments", () => {
  const file = UnitFile.parse(WEB);
  assert.deepEqual(file.sections(), ["Unit", "Service"]);
  assert.equal(file.get("Unit", "After"), "network.target    time-sync.target");
  assert.equal(file.get("Unit", "Documentation"), "man:web(1)");
  assert.deepEqual(file.getAll("Service", "Environment"), ['A=1 "B=two words"', "", "C=3"]);
  assert.deepEqual(file.getList("Service", "Environment"), ["C=3"]);
  assert.equal(file.get("Service", "ExecStart"), "/bin/web \\\\");
  assert.equal(file.get("Service", "Restart"), "always");
  assert.equal(file.getTimespan("Service", "TimeoutStopSec"), 90_000_000);
  assert.equal(file.getSize("Service", "MemoryMax"), 1.5 * 1024 ** 3);
  assert.equal(file.get("Service", "Missing"), undefined);
  assert.equal(file.toString(), WEB);
});

test("positions point at sections, keys, values and into continued values", () => {
  const file = UnitFile.parse(WEB);
  const [after] = file.assignments("Unit", "After");
  assert.ok(after);
  assert.deepEqual(after.position, { line: 4, column: 1 });
  assert.deepEqual(after.valuePosition, { line: 4, column: 7 });
  assert.deepEqual(positionInValue(after, after.value.indexOf("time-sync")), { line: 7, column: 3 });
  assert.deepEqual(file.sectionPosition("Service"), { line: 9, column: 1 });
  const [restart] = file.assignments("Service", "Restart");
  assert.deepEqual(restart?.valuePosition, { line: 14, column: 11 });
  const words = UnitFile.parse("[Unit]\nAfter=a \\\n  b\n").getWords("Unit", "After");
  assert.deepEqual(words, [
    { text: "a", position: { line: 2, column: 7 } },
    { text: "b", position: { line: 3, column: 3 } },
  ]);
});

test("line ends, byte order mark and a missing last line end are kept", () => {
  for (const text of [
    "[A]\r\nb=1\r\n",
    "\uFEFF[A]\nb=1",
    "\uFEFF# c\n[A]\n",
    "[A]\rb=1\r",
    "",
    "\n\n",
    "[A]\n\rb=\n\r",
  ]) {
    const bytes = Buffer.from(text);
    const file = UnitFile.parse(bytes);
    assert.deepEqual(Buffer.from(file.toBytes()), bytes);
    if (text.includes("b=1")) assert.equal(file.get("A", "b"), "1");
  }
});

test("an empty line or the file's end closes a continuation", () => {
  const file = UnitFile.parse("[A]\nb=1\\\n\nc=2\\");
  assert.equal(file.get("A", "b"), "1");
  assert.equal(file.get("A", "c"), "2");
  assert.equal(file.append("A", "d", "3").get("A", "c"), "2");
  assert.equal(file.append("A", "d", "3").get("A", "d"), "3");
});

test("what is no unit file is refused with line and column", () => {
  const cases: [source: string | Uint8Array, code: string, place: string][] = [
    ["[Unit]\n  Descrption", "unit-file-syntax", "web.service:2:3: "],
    ["Key=1\n", "unit-file-syntax", "web.service:1:1: "],
    ["[Unit]\n =x", "unit-file-syntax", "web.service:2:2: "],
    ["[Unit\nA=b", "unit-file-syntax", "web.service:1:5: "],
    ["[]\n", "unit-file-syntax", "web.service:1:2: "],
    ["[Unit]\nA=b\0c", "unit-file-encoding", "web.service:2:4: "],
    [
      Buffer.from([0x5b, 0x41, 0x5d, 0x0a, 0xef, 0xbf, 0xbd, 0xff]),
      "unit-file-encoding",
      "web.service:2:2: ",
    ],
    ["[A]\nb=\uD800", "unit-file-encoding", "web.service: "],
    ["#".repeat(1024 * 1024 + 1), "unit-file-too-large", "web.service: "],
  ];
  for (const [source, code, place] of cases) {
    const error = refusal(() => UnitFile.parse(source, { file: "web.service" }));
    assert.equal(error.code, code);
    assert.ok(error.message.startsWith(place), error.message);
  }
});

test("a value that is malformed is refused where it stands", () => {
  const file = UnitFile.parse('[Service]\nTimeoutStopSec=5 parsecs\nA=a \\\n  "b\nPrivateTmp=maybe\n', {
    file: "x.service",
  });
  assert.match(
    refusal(() => file.getTimespan("Service", "TimeoutStopSec")).message,
    /^x\.service:2:18: TimeoutStopSec: /,
  );
  assert.match(refusal(() => file.getWords("Service", "A")).message, /^x\.service:4:3: A: the quote/);
  assert.match(
    refusal(() => file.getBoolean("Service", "PrivateTmp")).message,
    /^x\.service:5:12: .*yes or no/,
  );
});

test("edits touch nothing but what they are about", () => {
  const file = UnitFile.parse(WEB);
  assert.equal(
    file.set("Service", "Restart", "no").toString(),
    WEB.replace("Restart = always", "Restart=no"),
  );
  assert.equal(
    file.set("Service", "Environment", ["X=1", "Y=2"]).toString(),
    WEB.replace(
      'Environment=A=1 "B=two words"\nEnvironment=\nEnvironment=C=3',
      "Environment=X=1\nEnvironment=Y=2",
    ),
  );
  assert.equal(
    file.append("Service", "Environment", "D=4").toString(),
    WEB.replace("Environment=C=3\n", "Environment=C=3\nEnvironment=D=4\n"),
  );
  assert.equal(file.append("Unit", "Wants", "a.service").toString(), `${WEB}Wants=a.service\n`);
  assert.equal(
    file.set("Install", "WantedBy", "a.target").toString(),
    `${WEB}\n[Install]\nWantedBy=a.target\n`,
  );
  assert.equal(file.remove("Service", "Restart").toString(), WEB.replace("Restart = always\n", ""));
  assert.equal(
    UnitFile.parse("[A]\nb=1\n# of C\n[C]\nd=2\n").removeSection("A").toString(),
    "# of C\n[C]\nd=2\n",
  );
  assert.equal(UnitFile.parse("[A]\r\nb=1").set("A", "b", "2").toString(), "[A]\r\nb=2");
  assert.equal(UnitFile.parse("[A]\r\nb=1").append("A", "c", "2").toString(), "[A]\r\nb=1\r\nc=2\r\n");
  assert.equal(
    UnitFile.build([
      ["A", [["b", "1"]]],
      ["C", []],
    ]).toString(),
    "[A]\nb=1\n\n[C]\n",
  );
});

test("an edit that would not read back is refused", () => {
  const file = UnitFile.parse("[A]\n");
  for (const [key, value] of [
    ["", "x"],
    ["a=b", "x"],
    ["#a", "x"],
    ["[a", "x"],
    ["a", "x\ny"],
    ["a", " x"],
    ["a", "x\\"],
  ] as const) {
    assert.equal(refusal(() => file.set("A", key, value)).code, "invalid-value");
    assert.equal(refusal(() => file.append("A", key, value)).code, "invalid-value");
  }
  assert.equal(refusal(() => file.appendSection("a\nb")).code, "invalid-value");
});

const pieces = fc.constantFrom(
  "[A]",
  "[B]",
  "key=",
  "k=v",
  "=",
  "\\",
  "\\\\",
  "#",
  ";",
  "\n",
  "\r",
  "\r\n",
  " ",
  "\t",
  "ü",
  "\uFEFF",
  '"',
  "x",
);
const texts = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(pieces).map((parts) => `[A]\n${parts.join("")}`),
);

function parsed(source: string | Uint8Array): UnitFile | undefined {
  try {
    return UnitFile.parse(source);
  } catch (error) {
    assert.ok(error instanceof SystemdError);
    return undefined;
  }
}

test("property: whatever is accepted is written back byte for byte, and its items make up the file", () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    texts.map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(bytes, (source) => {
      const file = parsed(source);
      if (file === undefined) return;
      assert.deepEqual(Buffer.from(file.toBytes()), Buffer.from(source));
      assert.equal(file.items.map((item) => item.text).join(""), file.toString().replace(/^\uFEFF/, ""));
    }),
    { numRuns: 500 },
  );
});

test("property: what is set reads back, and everything else stays", () => {
  const value = fc.stringMatching(/^[a-z "'%ü\\]*$/);
  fc.assert(
    fc.property(
      texts,
      fc.constantFrom("A", "B", "C"),
      fc.constantFrom("key", "k"),
      value,
      (text, section, key, wanted) => {
        const file = parsed(text);
        if (file === undefined || /^ | $|\\$/.test(wanted)) return;
        const others = (of: UnitFile): unknown[] =>
          of
            .assignments()
            .filter((a) => a.section !== section || a.key !== key)
            .map((a) => [a.section, a.key, a.value]);
        const set = file.set(section, key, wanted);
        assert.deepEqual(set.getAll(section, key), [wanted]);
        assert.deepEqual(others(set), others(file));
        const appended = file.append(section, key, wanted);
        assert.deepEqual(appended.getAll(section, key), [...file.getAll(section, key), wanted]);
        assert.deepEqual(others(appended), others(file));
        const removed = file.remove(section, key);
        assert.deepEqual(removed.getAll(section, key), []);
        assert.deepEqual(others(removed), others(file));
        assert.equal(file.removeSection(section).has(section), false);
      },
    ),
    { numRuns: 500 },
  );
});

test("property: a position in a value finds the value's own characters again", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const file = parsed(text);
      if (file === undefined) return;
      const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n\r|\n|\r/);
      for (const assignment of file.assignments()) {
        for (const { index, 0: character } of assignment.value.matchAll(/[a-z=]/g)) {
          const { line, column } = positionInValue(assignment, index);
          assert.equal(lines[line - 1]?.[column - 1], character);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("every unit file that this machine's packages brought is written back byte for byte", (t) => {
  const roots = ["/usr/lib/systemd/system", "/usr/lib/systemd/user", "/lib/systemd/system"];
  let count = 0;
  for (const root of roots) {
    for (const entry of list(root)) {
      const bytes = readFileSync(entry);
      assert.deepEqual(Buffer.from(UnitFile.parse(bytes, { file: entry }).toBytes()), bytes, entry);
      count += 1;
    }
  }
  t.diagnostic(`${count} files`);
});

function list(root: string): string[] {
  try {
    const entries = readdirSync(root, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
