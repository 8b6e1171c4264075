import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  fileOfOptions,
  optionsHash,
  parseOptions,
  serialiseOptions,
} from "../../../src/api/fleet/options.ts";

const option = (section: string, name: string, value: string) => ({ section, name, value });

describe("options and unit files", () => {
  test("sections in the order of their first option, one blank line between them", () => {
    const options = [
      option("Unit", "Description", "hello"),
      option("Service", "ExecStart", "/bin/sleep 1d"),
      option("Unit", "After", "network.target"),
      option("X-Fleet", "Conflicts", "hello@*"),
    ];
    assert.equal(
      serialiseOptions(options),
      "[Unit]\nDescription=hello\nAfter=network.target\n\n[Service]\nExecStart=/bin/sleep 1d\n\n[X-Fleet]\nConflicts=hello@*\n",
    );
  });

  test("nothing is the empty file, whose hash is that of nothing", () => {
    assert.equal(serialiseOptions([]), "");
    assert.equal(optionsHash([]), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  });

  test("comments go, continuations and repeated keys stay", () => {
    const text =
      "# a comment\n[Service]\nExecStart = /bin/a \\\n  --one \\\n  --two  \nExecStart=\n; another\n\n[Install]\n";
    assert.deepEqual(parseOptions(text), [
      option("Service", "ExecStart", "/bin/a \\\n  --one \\\n  --two"),
      option("Service", "ExecStart", ""),
    ]);
  });

  test("line ends of another system give the same options", () => {
    const text = "[Service]\nExecStart=/bin/a \\\n  b\nRestart=always\n";
    assert.deepEqual(parseOptions(text.replaceAll("\n", "\r\n")), parseOptions(text));
  });

  test("a continuation into an empty line takes nothing in", () => {
    const text = "[Service]\nExecStart=/bin/a \\\n\nRestart=always\n";
    const options = parseOptions(text);
    assert.deepEqual(
      options.map(({ name }) => name),
      ["ExecStart", "Restart"],
    );
    assert.deepEqual(parseOptions(serialiseOptions(options)), options);
  });

  test("what would be another file is refused", () => {
    for (const bad of [
      option("Service", "ExecStart", "/bin/a\nExecStartPre=/bin/evil"),
      option("Service", "ExecStart", "/bin/a\n[Install]"),
      option("Service", "A=B", "c"),
      option("Service", "", "c"),
      option("Serv]ice\n", "A", "c"),
      option("", "A", "c"),
      option("Service", "# A", "c"),
    ]) {
      const refused = () => fileOfOptions([bad, option("Service", "Restart", "no")]);
      assert.throws(refused, { code: "KEEL-581" }, JSON.stringify(bad));
    }
  });

  test("a value that ends in a backslash would swallow the next option, and is refused", () => {
    assert.throws(() => fileOfOptions([option("Service", "A", "b\\"), option("Service", "C", "d")]), {
      code: "KEEL-581",
    });
  });

  const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/);
  const value = fc.stringMatching(/^[!-[\]-~]([ -[\]-~]{0,20}[!-[\]-~])?$/);
  const options = fc.array(fc.record({ section: word, name: word, value }, { noNullPrototype: true }), {
    minLength: 1,
    maxLength: 12,
  });

  test("options come back, grouped by section", () => {
    fc.assert(
      fc.property(options, (given) => {
        const grouped = [...Map.groupBy(given, ({ section }) => section).values()].flat();
        assert.deepEqual(parseOptions(fileOfOptions(given)), grouped);
        assert.equal(optionsHash(grouped), optionsHash(given));
      }),
    );
  });

  test("whatever comes in makes the file that it says, or is refused", () => {
    const anything = fc.array(
      fc.record({
        section: fc.string({ maxLength: 6 }),
        name: fc.string({ maxLength: 6 }),
        value: fc.string({ maxLength: 12 }),
      }),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(anything, (given) => {
        let file: string;
        try {
          file = fileOfOptions(given);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "KEEL-581");
          return;
        }
        assert.equal(parseOptions(file).length, given.length);
      }),
    );
  });
});
