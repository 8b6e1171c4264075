import assert from "node:assert/strict";
import { test } from "node:test";
import { allInstances, instancesOf } from "../../src/model/instances.ts";
import type { Unit } from "../../src/model/unit.ts";

const unit = (name: string, fields: Partial<Unit> = {}): Unit => ({
  name,
  desired: "launched",
  hash: "0".repeat(64),
  replicas: 0,
  restarts: 0,
  generation: 1,
  owner: "",
  created: 0,
  changed: 0,
  ...fields,
});

test("a template has its replicas, and a replica with a record of its own belongs to that", () => {
  const template = unit("web@.service", { replicas: 3 });
  const own = unit("web@2.service", { desired: "loaded" });
  const units = new Map(
    [template, own, unit("db.service"), unit("idle@.service")].map((it) => [it.name, it]),
  );
  assert.deepEqual(
    instancesOf(template, units).map(({ name }) => name),
    ["web@1.service", "web@3.service"],
  );
  assert.deepEqual(
    [...allInstances(units).values()].map(({ name, unit, desired }) => [name, unit.name, desired]),
    [
      ["web@1.service", "web@.service", "launched"],
      ["web@3.service", "web@.service", "launched"],
      ["web@2.service", "web@2.service", "loaded"],
      ["db.service", "db.service", "launched"],
    ],
  );
});
