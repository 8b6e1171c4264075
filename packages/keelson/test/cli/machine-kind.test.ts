import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../src/base/errors.ts";
import { machineConfiguration } from "../../src/cli/local-cluster/configurations.ts";
import { machineKind, slownessNote } from "../../src/cli/local-cluster/machine-kind.ts";
import { timeoutOf } from "../../src/cli/invocation.ts";
import type { ClusterRecord } from "../../src/local/cluster.ts";
import type { QemuBase } from "../../src/local/qemu/machine-disk.ts";

const qemu: QemuBase = {
  image: "/cache/disk.raw",
  accelerator: "tcg",
  memoryBytes: 2 ** 30,
  processors: 1,
  diskBytes: 2 ** 34,
};
const containers: ClusterRecord = { name: "lab", subnet: "10.205.7.0/24", layers: [], notes: {} };
const virtual: ClusterRecord = { ...containers, qemu };
const code = (expected: string) => (error: unknown) => error instanceof KeelError && error.code === expected;

describe("the kind of a cluster's machines", () => {
  test("is what was asked for, what the cluster has, or containers", () => {
    assert.equal(machineKind({}, undefined).provider, "nspawn");
    assert.equal(machineKind({ provider: "qemu" }, undefined).provider, "qemu");
    assert.equal(machineKind({}, virtual).provider, "qemu");
    assert.equal(machineKind({ provider: "nspawn" }, containers).provider, "nspawn");
  });

  test("does not change while there is a cluster", () => {
    assert.throws(() => machineKind({ provider: "qemu" }, containers), code("KEEL-305"));
    assert.throws(() => machineKind({ provider: "nspawn" }, virtual), code("KEEL-305"));
    assert.throws(() => machineKind({ provider: "vmware" }, undefined), code("KEEL-104"));
  });

  test("has sizes that make sense, and only where they mean something", () => {
    const kind = machineKind({ memory: "2G", cpus: "4", image: import.meta.filename }, virtual);
    assert.deepEqual([kind.memoryBytes, kind.processors, kind.image], [2 ** 31, 4, import.meta.filename]);
    assert.equal(machineKind({ memory: "512m" }, virtual).memoryBytes, 2 ** 29);
    for (const wrong of [
      { memory: "1" },
      { memory: "64M" },
      { memory: "2GB" },
      { cpus: "0" },
      { cpus: "1.5" },
      { image: "/no/such/file" },
      { image: "/" },
    ])
      assert.throws(() => machineKind(wrong, virtual), code("KEEL-104"));
    assert.throws(() => machineKind({ memory: "2G" }, undefined), code("KEEL-104"));
  });

  test("no words get past the limits", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (memory, cpus) => {
        try {
          const kind = machineKind({ provider: "qemu", memory, cpus }, undefined);
          assert.ok((kind.memoryBytes ?? 0) >= 384 * 2 ** 20 && (kind.memoryBytes ?? 0) <= 2 ** 40);
          assert.ok((kind.processors ?? 0) >= 1 && (kind.processors ?? 0) <= 64);
        } catch (error) {
          assert.ok(error instanceof KeelError && error.code === "KEEL-104");
        }
      }),
    );
  });
});

describe("machines that take longer", () => {
  const machine = { cluster: "lab", name: "m1", address: "10.205.7.11", hostAddress: "10.205.7.1" };

  test("have leases that last longer, and are waited for longer", () => {
    const quick = machineConfiguration({ ...machine, memoryBytes: 1 << 30 });
    const slow = machineConfiguration({ ...machine, slowness: 5 });
    assert.equal(slow.leaseSeconds, 5 * quick.leaseSeconds);
    assert.equal(slow.leaderLeaseSeconds, 5 * quick.leaderLeaseSeconds);
    assert.equal(slow.capacity, undefined, "a virtual machine knows its own memory");
    assert.equal(timeoutOf({}, 5), 300_000);
    assert.equal(timeoutOf({ timeout: "10s" }, 5), 10_000, "a person's word is not multiplied");
  });

  test("say so", () => {
    assert.match(slownessNote(qemu) ?? "", /emulated/);
    assert.equal(slownessNote({ ...qemu, accelerator: "kvm" }), undefined);
  });
});
