import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../src/base/errors.ts";
import { isPortOf } from "../../src/local/firewall.ts";
import {
  bridgeName,
  checkClusterName,
  checkMachineName,
  containerName,
  portName,
  scopeOfFolder,
  scopeOfUnit,
  tableName,
  unitName,
} from "../../src/local/names.ts";

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/);
const scope = fc.record(
  { cluster: name, kind: fc.constantFrom("machine" as const, "host" as const), name },
  { noNullPrototype: true },
);

describe("names of a local cluster", () => {
  test("fit the kernel’s 15 characters for interfaces, whatever the cluster and the machine are called", () => {
    fc.assert(
      fc.property(name, name, (cluster, machine) => {
        assert.ok(portName(cluster, machine).length <= 15);
        assert.ok(bridgeName(cluster).length <= 15);
        assert.match(containerName(cluster, machine), /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
        assert.match(tableName(cluster), /^[a-z_][a-z0-9_]*$/);
        assert.ok(isPortOf(cluster, portName(cluster, machine)));
      }),
    );
  });

  test("differ between machines, and between clusters", () => {
    const ports = new Set<string>();
    const clusters = ["default", "a", "b", "t1-x"];
    for (const cluster of clusters) for (let i = 1; i <= 300; i++) ports.add(portName(cluster, `m${i}`));
    assert.equal(ports.size, clusters.length * 300);
    assert.notEqual(portName("a", "database-one"), portName("a", "database-two"));
    assert.equal(portName("a", "m1").slice(-3), "-m1", "short names stay readable");
    assert.ok(!isPortOf("a", portName("b", "m1")));
  });

  test("lead back to the scope they were made of", () => {
    fc.assert(
      fc.property(scope, (one) => {
        assert.deepEqual(scopeOfUnit(unitName(one)), one);
        assert.deepEqual(scopeOfFolder(one.cluster, `${one.kind}.${one.name}`), one);
      }),
    );
    for (const foreign of [
      "ssh.service",
      "keelson.service",
      "keelson.a.service",
      "keelson.a.pod.m1.service",
    ]) {
      assert.equal(scopeOfUnit(foreign), undefined);
    }
    assert.equal(scopeOfFolder("a", "payload"), undefined);
  });

  test("refuse what could leave its folder or its unit", () => {
    for (const bad of ["", ".", "..", "a/b", "a.b", "-a", "a-", "A", "a b", "a\n", "ä", "x".repeat(41)]) {
      for (const check of [checkClusterName, checkMachineName]) {
        assert.throws(
          () => check(bad),
          (error) => error instanceof KeelError && error.code === "KEEL-104",
          bad,
        );
      }
    }
  });
});
