import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  escapePath,
  escapeUnitName,
  instantiate,
  isUnitName,
  parseUnitName,
  SystemdError,
  templateOf,
  unescapePath,
  unescapeUnitName,
} from "../../src/index.ts";

const isRefusal = (error: unknown): boolean => error instanceof SystemdError && error.code === "invalid-name";

test("names come apart into prefix, instance and type", () => {
  assert.deepEqual(parseUnitName("web.service"), {
    name: "web.service",
    kind: "plain",
    prefix: "web",
    instance: undefined,
    type: "service",
  });
  assert.equal(parseUnitName("web@.container").kind, "template");
  const instance = parseUnitName("a.b@c@d.e.timer");
  assert.deepEqual(
    [instance.kind, instance.prefix, instance.instance, instance.type],
    ["instance", "a.b", "c@d.e", "timer"],
  );
});

test("names that systemd would not load are refused", () => {
  const bad = [
    "",
    "web",
    ".service",
    "@.service",
    "@x.service",
    "a b.service",
    "ü.service",
    "a/b.service",
    "web.snapshot",
    "web.",
    `${"a".repeat(248)}.service`,
  ];
  for (const name of bad) {
    assert.equal(isUnitName(name), false, name);
    assert.throws(() => parseUnitName(name), isRefusal, name);
  }
  for (const name of [`${"a".repeat(247)}.service`, "-.mount", "a\\x20b.service", "x:y_z.kube"]) {
    assert.equal(isUnitName(name), true, name);
  }
});

test("templates and instances lead to each other", () => {
  assert.equal(instantiate("web@.container", "1"), "web@1.container");
  assert.equal(templateOf("web@1.container"), "web@.container");
  assert.equal(templateOf("web.service"), undefined);
  for (const [template, instance] of [
    ["web.service", "1"],
    ["web@1.service", "1"],
    ["web@.service", ""],
    ["web@.service", "a b"],
  ] as const) {
    assert.throws(() => instantiate(template, instance), isRefusal);
  }
});

test("escaping is that of systemd-escape", () => {
  assert.equal(escapeUnitName("Hallöchen, Meister"), "Hall\\xc3\\xb6chen\\x2c\\x20Meister");
  assert.equal(escapeUnitName(".a/b-c\\d@e"), "\\x2ea-b\\x2dc\\x5cd\\x40e");
  assert.equal(escapePath("/var//lib/./x-y/"), "var-lib-x\\x2dy");
  assert.equal(escapePath("/"), "-");
  assert.equal(escapePath("/.hidden/.x"), "\\x2ehidden-.x");
  assert.equal(unescapePath("-"), "/");
  assert.equal(unescapePath("var-lib"), "/var/lib");
  for (const bad of ["a\\", "a\\x4", "\\xzz", "\\xff", "\\x00"])
    assert.throws(() => unescapeUnitName(bad), isRefusal, bad);
  for (const bad of ["", "-a", "a-", "a--b", "\\x2e\\x2e-a"])
    assert.throws(() => unescapePath(bad), isRefusal, bad);
  assert.throws(() => escapePath("/a/../b"), isRefusal);
});

const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed() && !value.includes("\0"));

test("property: unescaping undoes escaping, and what is escaped fits into a name", () => {
  fc.assert(
    fc.property(text, (value) => {
      const escaped = escapeUnitName(value);
      assert.equal(unescapeUnitName(escaped), value);
      assert.match(escaped, /^[A-Za-z0-9:_.\\-]*$/);
    }),
  );
});

test("property: a path comes back in its normal form", () => {
  const part = text.filter(
    (value) => value !== "" && value !== "." && value !== ".." && !value.includes("/"),
  );
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const path = `/${parts.join("/")}`;
      assert.equal(unescapePath(escapePath(path)), path);
    }),
  );
});
