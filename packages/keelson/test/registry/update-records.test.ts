// The update service's configuration, read from a store in memory and followed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { keys, prefixes } from "../../src/model/keys.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import { UpdateRecords } from "../../src/registry/update-records.ts";
import type { UpdateConfigurationRecords } from "../../src/registry/update-records.ts";
import { eventually } from "../eventually.ts";

const app = "com.example.system";
const application = { id: app, name: "System", kind: "system" };
const group = (name: string, more: object = {}) => ({ application: app, name, channel: "stable", ...more });

function follow(store: SimulatedStore) {
  const told: UpdateConfigurationRecords[] = [];
  const door = store.door();
  const records = UpdateRecords.open(door, {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    onRecords: (all) => told.push(all),
  });
  const put = (key: string, record: unknown): void =>
    void store.txn({ compare: [], write: [{ put: key, value: JSON.stringify(record) }] });
  return { told, door, records, put, names: () => told.at(-1)?.groups.map(({ name }) => name) };
}

describe("the update service's records", () => {
  test("are read, and followed as they change", async () => {
    const store = new SimulatedStore(systemClock);
    const it = follow(store);
    await using _records = it.records;
    await eventually("an empty configuration is told", () => it.told.length === 1);
    it.put(keys.updateApplication(app), application);
    it.put(keys.updateGroup(app, "prod"), group("prod", { policy: { paused: true } }));
    it.put(keys.updateChannel(app, "stable"), {
      application: app,
      name: "stable",
      versions: { amd64: { version: "2.0.0", at: 0 } },
    });
    it.put(keys.updatePackage(app, "2.0.0", "amd64"), {
      application: app,
      version: "2.0.0",
      architecture: "amd64",
      files: [{ name: "a", size: 1, sha256: "ab".repeat(32) }],
      added: 0,
    });
    it.put(`${prefixes.updates}elsewhere/x`, { not: "ours" });
    await eventually("the package is told", () => it.told.at(-1)?.packages.length === 1);
    const last = it.told.at(-1);
    assert.equal(last?.applications[0]?.name, "System");
    assert.equal(last.groups[0]?.policy.paused, true);
    assert.equal(last.groups[0].policy.atOnce, 10);
    assert.equal(last.channels[0]?.versions["amd64"]?.version, "2.0.0");
    store.txn({ compare: [], write: [{ delete: keys.updateGroup(app, "prod") }] });
    await eventually("the group is gone", () => it.names()?.length === 0);
  });

  test("that cannot be read count as before; those under another's name not at all", async () => {
    const store = new SimulatedStore(systemClock);
    const it = follow(store);
    await using _records = it.records;
    it.put(keys.updateGroup(app, "prod"), group("prod", { description: "good" }));
    await eventually("the group is told", () => it.names()?.length === 1);
    it.put(keys.updateGroup(app, "prod"), group("prod", { policy: { atOnce: -1 } }));
    it.put(keys.updateGroup(app, "lab"), group("prod"));
    it.put(keys.updateGroup(app, "last"), group("last"));
    await eventually("what came after it is told", () => it.names()?.includes("last") === true);
    assert.deepEqual(it.names(), ["last", "prod"]);
    assert.equal(it.told.at(-1)?.groups[1]?.description, "good");
  });

  test("survive a store that goes away, and all pages of a large one are read", async () => {
    const store = new SimulatedStore(systemClock);
    const writer = follow(store);
    await using _writer = writer.records;
    for (let number = 0; number < 1203; number++)
      writer.put(keys.updateGroup(app, `g${number}`), group(`g${number}`));
    const it = follow(store);
    await using _records = it.records;
    await eventually("all groups are told", () => it.names()?.length === 1203);
    store.stop();
    store.txn({ compare: [], write: [{ delete: keys.updateGroup(app, "g7") }] });
    store.start();
    it.put(keys.updateGroup(app, "new"), group("new"));
    await eventually("the new one is told", () => it.names()?.includes("new") === true);
    assert.equal(it.names()?.includes("g7"), false);
    assert.equal(it.names()?.length, 1203);
  });
});
