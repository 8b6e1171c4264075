import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { HealthView } from "../../src/api/wire/health.ts";
import type { SnapshotView } from "../../src/api/wire/snapshot.ts";
import { parseConfiguration } from "../../src/base/configuration.ts";
import { KeelError } from "../../src/base/errors.ts";
import {
  apiPort,
  hostConfiguration,
  machineConfiguration,
  zoneOf,
} from "../../src/cli/local-cluster/configurations.ts";
import { firstFreePort } from "../../src/cli/local-cluster/free-port.ts";
import { clusterChecks } from "../../src/cli/local-cluster/health-checks.ts";
import { machineNames, nextMachineName } from "../../src/cli/local-cluster/machines.ts";
import { placeOf } from "../../src/cli/local-cluster/process-usage.ts";

describe("configurations of a local cluster", () => {
  test("keeld takes both, and they meet at the same store", () => {
    const host = hostConfiguration({
      cluster: "lab",
      address: "10.205.7.1",
      dashboardPort: 7400,
      dashboard: "/d",
      storeFolder: "/s",
      stateFolder: "/t",
      runtimeFolder: "/run/keelson/lab",
    });
    const machine = machineConfiguration({
      cluster: "lab",
      name: "m2",
      address: "10.205.7.12",
      hostAddress: "10.205.7.1",
      memoryBytes: 8 << 20,
    });
    for (const configuration of [host, machine]) {
      assert.deepEqual(parseConfiguration(JSON.stringify(configuration), "test"), configuration);
    }
    assert.deepEqual(host.store.endpoints, machine.store.endpoints);
    assert.equal(host.api.socket, "/run/keelson/lab/api.sock");
    assert.deepEqual(host.api.listen[0], { host: "127.0.0.1", port: 7400 });
    assert.deepEqual(machine.api.listen, [{ host: "10.205.7.12", port: apiPort }]);
  });

  test("zones go round, names are the first that are free", () => {
    assert.deepEqual(["m1", "m2", "m3", "m4", "db"].map(zoneOf), ["a", "b", "c", "a", "a"]);
    assert.deepEqual(machineNames(2), ["m1", "m2"]);
    assert.equal(nextMachineName(["m1", "m3"]), "m2");
  });

  test("a port that is taken is passed over", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      assert.ok((await firstFreePort("127.0.0.1", port)) > port);
    } finally {
      server.close();
    }
    await assert.rejects(firstFreePort("203.0.113.1", 7400), KeelError);
  });
});

describe("where a process belongs", () => {
  const machine = "/keelson/lab/machine.m1/payload";
  const cases: [string, string, ReturnType<typeof placeOf>][] = [
    ["a service", `0::${machine}/system.slice/keeld.service`, { place: "m1", unit: "keeld.service" }],
    [
      "beside cgroup v1",
      `9:name=systemd:${machine}\n0::${machine}/system.slice/keeld.service`,
      { place: "m1", unit: "keeld.service" },
    ],
    [
      "a container below its service",
      `0::${machine}/system.slice/system-web.slice/web@1.service/libpod-payload-x`,
      { place: "m1", unit: "web@1.service" },
    ],
    ["the machine's systemd", `0::${machine}/init.scope`, { place: "m1", unit: "init.scope" }],
    [
      "on a host with systemd",
      "0::/machine.slice/keelson.lab.machine.m1.service/payload/system.slice/dbus.service",
      { place: "m1", unit: "dbus.service" },
    ],
    ["keeld on the host", "4:name=systemd:/x\n0::/keelson/lab/host.keeld", { place: "host", unit: "" }],
    ["another cluster", "0::/keelson/lab2/machine.m1/payload", undefined],
    ["anything else", "0::/user.slice", undefined],
  ];
  for (const [name, cgroup, expected] of cases) {
    test(name, () => assert.deepEqual(placeOf(cgroup, "lab"), expected));
  }
});

describe("doctor's checks", () => {
  const health: HealthView = {
    cluster: "lab",
    machine: { id: "h", name: "host", address: "10.0.0.1" },
    roles: ["store", "api"],
    version: "0.1.0",
    contact: { machine: "host", hasContact: true, ageMs: 12 },
  };
  const machine = (name: string, state: "up" | "lost"): SnapshotView["machines"][number] => ({
    id: name,
    name,
    address: "10.0.0.2",
    apiPort,
    state,
    leader: false,
    since: 0,
    joined: 0,
    os: null,
    keeldVersion: "0.1.0",
    metadata: {},
    capacity: { cpus: 1, memoryBytes: 1, unenforced: [] },
    allocatable: { cpus: 1, memoryBytes: 1 },
    room: { cpus: 1, memoryBytes: 1 },
    requested: { cpus: 0, memoryBytes: 0 },
    instances: 0,
  });
  const snapshot = (more: Partial<SnapshotView> = {}): SnapshotView => ({
    revision: 1,
    cluster: "lab",
    at: 0,
    leader: { machine: "m1", name: "m1" },
    machines: [machine("m1", "up")],
    units: [],
    instances: [],
    alarms: {},
    operations: [],
    ...more,
  });

  test("all is well", () => {
    for (const check of clusterChecks(health, snapshot()))
      assert.deepEqual([check.state, check.remedy], ["ok", ""]);
  });

  test("each problem is named, with what to do", () => {
    const sick = clusterChecks(
      { ...health, contact: { machine: "host", hasContact: false, ageMs: 3000 } },
      snapshot({
        leader: null,
        machines: [machine("m1", "up"), machine("m2", "lost")],
        alarms: { "mass-failure": "2 of 3 machines are gone" },
      }),
    );
    assert.deepEqual(
      sick.filter(({ state }) => state !== "ok").map(({ what, state }) => `${what}: ${state}`),
      ["store: fail", "leader: fail", "machines: warn", "alarm mass-failure: fail"],
    );
    for (const check of sick) assert.equal(check.remedy === "", check.state === "ok");
  });
});
