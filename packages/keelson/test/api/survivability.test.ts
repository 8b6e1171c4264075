// Whether any one machine may be lost, over HTTP.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StoreMemberView, StoreStatusView } from "../../src/api/wire/store.ts";
import { survivabilityView } from "../../src/api/views/survivability-view.ts";
import { eventually } from "../eventually.ts";
import { machineId } from "../registry/records.ts";
import { file, fill, runApi } from "./running-api.ts";
import type { RunningApi } from "./running-api.ts";

const ask = async (api: RunningApi): Promise<any> => (await api.ask({ path: "/v1/survivability" })).json;

describe("GET /v1/survivability", () => {
  test("yes, then no with the unit that would be nowhere, then yes again", async () => {
    await using api = await runApi();
    const records = fill(api.store);
    for (const number of [1, 2, 3]) records.machine(number);
    await eventually("yes", async () => (await ask(api)).answer === "yes");
    const text = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineID=m2\n";
    await api.operate({ kind: "submit", files: [file("db.service", text)], desired: "launched" });
    const { hash } = (await api.ask({ path: "/v1/units/db.service" })).json.unit;
    records.order(2, "db.service", { hash });
    records.status(2, "db.service", { hash });
    await eventually("no", async () => {
      const { answer, isCurrent } = await ask(api);
      return answer === "no" && isCurrent;
    });
    const { words, indispensable, machines } = await ask(api);
    assert.equal(
      words,
      "the cluster cannot lose m2: db.service would be nowhere, no machine fits: m1, m3 is not the machine m2",
    );
    assert.deepEqual([indispensable[0].machine, machines], [machineId(2), 3]);
    await api.operate(
      { kind: "destroy", units: { names: ["db.service"] } },
      { maxImpact: 100, scope: "test" },
    );
    await eventually("yes again", async () => (await ask(api)).answer === "yes");
  });

  test("a cluster without machines has nothing to lose", async () => {
    await using api = await runApi();
    await eventually("an answer", async () => (await ask(api)).answer === "yes");
    assert.equal((await ask(api)).words, "there is no machine to lose");
  });
});

describe("the view", () => {
  const member = (number: number, healthy = true): StoreMemberView => ({
    id: `${number}`,
    name: `m${number}`,
    machine: machineId(number),
    machineName: `m${number}`,
    endpoint: "",
    role: "follower",
    healthy,
    reason: "",
    version: "",
    lag: 0,
    dbSizeBytes: 0,
    dbInUseBytes: 0,
    quotaBytes: 0,
    alarms: [],
  });
  const store = (kind: StoreStatusView["kind"], members: StoreMemberView[]): StoreStatusView => ({
    kind,
    epoch: 0,
    endpoints: [],
    clusterId: "1",
    revision: 1,
    size: members.length,
    healthy: members.length,
    members,
    words: [],
  });
  const fine = {
    verdict: {
      survivability: { indispensable: [], isCut: false, machines: 3, played: 0 },
      revision: 5,
      at: 7,
    },
    isCurrent: true,
  };

  test("never says yes before it is known", () => {
    const view = survivabilityView({ verdict: undefined, isCurrent: false }, undefined);
    assert.deepEqual([view.answer, view.isCurrent, view.words], [null, false, "being worked out"]);
  });

  test("a machine with the store alone on it cannot be lost, whatever becomes of units", () => {
    const { answer, words } = survivabilityView(fine, store("embedded", [member(1)]));
    assert.equal(answer, "no");
    assert.match(words, /^the cluster cannot lose m1: the store is on it alone/);
    const elsewhere = store("embedded", [{ ...member(1), machine: "", machineName: "" }]);
    assert.equal(survivabilityView(fine, elsewhere).answer, "yes");
  });

  test("three members bear one loss, and none when one is away already", () => {
    assert.equal(survivabilityView(fine, store("etcd", [member(1), member(2), member(3)])).answer, "yes");
    const degraded = survivabilityView(fine, store("etcd", [member(1), member(2, false), member(3)]));
    assert.deepEqual(
      degraded.store.map(({ name, reason }) => [name, reason]),
      ["m1", "m3"].map((name) => [name, "2 of 3 members of the store are well, and it needs 2"]),
    );
  });
});
