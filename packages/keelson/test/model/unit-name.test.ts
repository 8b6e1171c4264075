import assert from "node:assert/strict";
import { test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import {
  compareNames,
  isSupporting,
  isTemplate,
  readUnitName,
  replicaName,
  templateName,
} from "../../src/model/unit-name.ts";

test("templates and their replicas", () => {
  assert.equal(isTemplate("web@.container"), true);
  assert.equal(isTemplate("web@1.container"), false);
  assert.equal(isTemplate("web.service"), false);
  assert.equal(replicaName("web@.container", 12), "web@12.container");
  assert.equal(templateName("web@12.container"), "web@.container");
  assert.equal(templateName("web@a.b.service"), "web@.service");
  assert.equal(templateName("web@.container"), undefined);
  assert.equal(templateName("web.service"), undefined);
});

test("names sort as people count", () => {
  const names = ["web@10.service", "web@9.service", "db.service", "web@1.service", "web.service"];
  assert.deepEqual(names.sort(compareNames), [
    "db.service",
    "web.service",
    "web@1.service",
    "web@9.service",
    "web@10.service",
  ]);
});

test("what only serves others is known by its type", () => {
  assert.equal(isSupporting("data.volume"), true);
  assert.equal(isSupporting("web.pod"), false);
});

test("refuses what Keelson does not run, with the nearest type", () => {
  const refused = (name: string): KeelError => {
    try {
      readUnitName(name);
    } catch (error) {
      assert.ok(error instanceof KeelError);
      assert.equal(error.code, "KEEL-103");
      return error;
    }
    throw new Error(`${name} was taken`);
  };
  assert.match(refused("web.contaner").hint ?? "", /Did you mean \.container\?/);
  assert.match(refused("web.slice").message, /runs no units of type \.slice/);
  refused("web");
  refused(".service");
  refused("a b.service");
});
