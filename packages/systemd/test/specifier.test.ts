import assert from "node:assert/strict";
import { test } from "node:test";
import { expandSpecifiers, SystemdError, UnitFile } from "../src/index.ts";

test("specifiers of the name", () => {
  const unit = "foo-bar\\x2dbaz@a-b\\x20c.service";
  const cases = {
    "%n": unit,
    "%N": "foo-bar\\x2dbaz@a-b\\x20c",
    "%p": "foo-bar\\x2dbaz",
    "%P": "foo/bar-baz",
    "%i": "a-b\\x20c",
    "%I": "a/b c",
    "%j": "bar\\x2dbaz",
    "%J": "bar-baz",
    "%f": "/a/b c",
    "100%%": "100%",
  };
  for (const [text, expanded] of Object.entries(cases))
    assert.equal(expandSpecifiers(text, { unit }), expanded, text);
  assert.equal(expandSpecifiers("[%i]", { unit: "a.service" }), "[]");
});

test("specifiers of the machine come from the context", () => {
  const context = {
    unit: "a.service",
    hostName: "m1.example",
    machineId: "0".repeat(32),
    bootId: "1".repeat(32),
    kernelRelease: "6.12",
    architecture: "x86-64",
    osRelease: { ID: "debian" },
    fragmentPath: "/run/systemd/system/a.service",
  };
  assert.equal(
    expandSpecifiers("%H %l %m %b %v %a %o|%w %t %Y", context),
    `m1.example m1 ${"0".repeat(32)} ${"1".repeat(32)} 6.12 x86-64 debian| /run /run/systemd/system`,
  );
  assert.equal(
    expandSpecifiers("%t %c", { ...context, values: { t: "/run/user/7", c: "x" } }),
    "/run/user/7 x",
  );
});

test("unknown ones are refused, with their position in a file", () => {
  const file = UnitFile.parse("[X]\nA=a \\\n  b%z\n", { file: "a.service" });
  const [assignment] = file.assignments("X", "A");
  assert.ok(assignment);
  assert.throws(
    () => file.read(assignment, (value) => expandSpecifiers(value, { unit: "a.service" })),
    (error) =>
      error instanceof SystemdError &&
      error.code === "unknown-specifier" &&
      error.message.startsWith('a.service:3:4: A: "%z" is no specifier'),
  );
  for (const text of ["%", "50% of it", "%H", "%constructor", "%\u{1F600}"]) {
    assert.throws(() => expandSpecifiers(text, { unit: "a.service" }), SystemdError, text);
  }
});
