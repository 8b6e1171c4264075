// What `keel what-if` foretells is what then happens: machines are lost and drained under the real leader, registry
// and agents, and every unit is where it was said to be.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../../packages/keelson/src/base/random.ts";
import { allInstances } from "../../packages/keelson/src/model/instances.ts";
import type { WhatIf } from "../../packages/keelson/src/scheduler/foretelling/what-if.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

const zones: Readonly<Record<string, string>> = { m1: "a", m2: "a", m3: "b", m4: "b", m5: "c" };
const wishes = [
  "",
  "",
  "",
  "[X-Fleet]\nMachineMetadata=zone=b\n",
  "[X-Fleet]\nConflicts=u0.service\n",
  "[X-Fleet]\nMachineOf=u1.service\n",
  "[X-Fleet]\nGlobal=true\n",
  "[X-Fleet]\nReplaces=u2.service\n",
  "[X-Keelson]\nMemoryRequest=400M\n",
  "[X-Keelson]\nMemoryRequest=700M\nPriority=5\nPreempt=yes\n",
];

const fileOf = (name: string, text: string): { name: string; body: string } => ({
  name,
  body: Buffer.from(`[Service]\nExecStart=/bin/true\n${text}`).toString("base64"),
});

/** Five machines with units of all kinds, at rest. */
async function settled(seed: number): Promise<SimulatedCluster> {
  const cluster = new SimulatedCluster(seed);
  const random = seededRandom(seed);
  for (const [name, zone] of Object.entries(zones)) await cluster.add(name, { zone });
  await cluster.run(2000);
  const files = Array.from({ length: 8 }, (_, at) =>
    fileOf(`u${at}.service`, wishes[Math.floor(random.next() * wishes.length)] ?? ""),
  );
  await cluster.ask({ kind: "submit", files, desired: "launched", replace: false });
  const template = [fileOf("web@.service", "[X-Keelson]\nSpreadOver=zone\nReplicas=4\n")];
  await cluster.ask({ kind: "submit", files: template, desired: "launched", replace: false });
  await cluster.run(30_000);
  return cluster;
}

/** Every instance is where the foretelling has it; where it says nothing, where it was. */
function compare(cluster: SimulatedCluster, before: ReadonlyMap<string, string[]>, foretold: WhatIf): void {
  const named = new Map(foretold.machines.map(({ id, name }) => [id, name]));
  for (const name of allInstances(cluster.snapshot.units).keys()) {
    const move = foretold.moves.find(({ instance }) => instance === name);
    const isNowhere = foretold.unplaced.some(({ instance }) => instance === name);
    const expected = isNowhere ? [] : (move?.to.map((id) => named.get(id) ?? id) ?? before.get(name) ?? []);
    assert.deepEqual(cluster.where(name).toSorted(), expected.toSorted(), name);
  }
}

const places = (cluster: SimulatedCluster): Map<string, string[]> =>
  new Map([...allInstances(cluster.snapshot.units).keys()].map((name) => [name, cluster.where(name)]));

describe("what is foretold", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`of a machine that is lost happens (seed ${seed})`, async () => {
      await using cluster = await settled(seed);
      const lost = `m${1 + (seed % 5)}`;
      const before = places(cluster);
      const foretold = cluster.foretell({ lost: [cluster.machine(lost).host.machineId] });
      cluster.machine(lost).losePower();
      await cluster.run(60_000);
      compare(cluster, before, foretold);
    });
  }

  for (const seed of [7, 8, 9]) {
    test(`of a machine that is drained happens (seed ${seed})`, async () => {
      await using cluster = await settled(seed);
      const machine = cluster.machine("m2").host.machineId;
      const before = places(cluster);
      const drain = { since: cluster.clock.wall(), reason: "" };
      const record = { machine, cordoned: true, drain, metadata: {} };
      const foretold = cluster.foretell({
        records: [{ kind: "machine-settings", name: machine, after: record }],
      });
      await cluster.ask({ kind: "drain", machine: "m2", reason: "" }, { scope: "demo", maxImpact: 100 });
      await cluster.run(90_000);
      compare(cluster, before, foretold);
    });
  }
});
