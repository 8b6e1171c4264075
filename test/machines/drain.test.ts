// A machine is taken out of service and put back, on three real machines. Copies are counted from the host, and
// replicas are asked over the network meanwhile.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster, DoubleWatch, probeUnit, runningProbes } from "../support/cluster.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Watch } from "../support/watch.ts";

const cluster = new Cluster(`t${process.pid}-drain`);
const skip = whyNoMachines();
const replicas = 6;
const singles = ["one-1.service", "one-2.service", "one-3.service"];
let folder = "";

const machineOf = (unit: string): string[] =>
  runningProbes(cluster.name)
    .filter((probe) => probe.unit === unit)
    .map(({ machine }) => machine);

const on = (machine: string): string[] =>
  runningProbes(cluster.name)
    .filter((probe) => probe.machine === machine)
    .map(({ unit }) => unit)
    .toSorted();

const isReplica = (unit: string): boolean => unit.startsWith("web@");

/** How many replicas run now, and the most copies of one that were seen at a moment. */
class Replicas {
  mostCopies = 0;

  readonly count = (): number => {
    const copies = new Map<string, number>();
    for (const { unit } of runningProbes(cluster.name).filter((probe) => isReplica(probe.unit)))
      copies.set(unit, (copies.get(unit) ?? 0) + 1);
    this.mostCopies = Math.max(this.mostCopies, ...copies.values());
    return copies.size;
  };
}

const isReady = (count: number): Promise<unknown> =>
  cluster.until(`${count} healthy`, ({ instances }) => {
    const healthy = instances.filter(({ state }) => state === "healthy");
    return healthy.length === count && instances.length === count;
  });

describe("a drain", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-drain-"));
    await cluster.keel(["up", "--no-example"]);
    const web = join(folder, "web@.service");
    await writeFile(web, `${probeUnit()}\n[X-Keelson]\nMaxSurge=1\nMaxUnavailable=1\nOnPartition=keep\n`);
    await cluster.start(Object.fromEntries(singles.map((name) => [name, probeUnit()])));
    await cluster.keel(["start", web, "-n", String(replicas)]);
    await isReady(replicas + singles.length);
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
    await cluster.down();
  });

  test("its plan says what goes where, and changes nothing", async () => {
    const { stdout } = await cluster.keel(["machine", "drain", "m2", "--dry-run"]);
    for (const unit of on("m2")) assert.match(stdout, new RegExp(`${unit} +m2 → m[13]`));
    assert.match(stdout, /can move/);
    const { json } = {
      json: JSON.parse((await cluster.keel(["machine", "drain", "m2", "--dry-run", "-o", "json"])).stdout),
    };
    assert.equal(json.plan.forecast.moves.length, on("m2").length);
    assert.ok(on("m2").length >= 2);
  });

  test("replicas start elsewhere first, singletons never run twice, and the machine is empty at the end", async (t) => {
    const doubles = new DoubleWatch(cluster.name);
    const seen = new Replicas();
    await using watch = await Watch.begin(cluster, seen.count);
    const { stdout } = await cluster.keel(["machine", "drain", "m2", "--reason", "a test"]);
    assert.deepEqual(on("m2"), []);
    assert.match(stdout, /undo: .*keel undo /);
    await doubles.stop();
    await watch.atLeast(t, replicas);
    const twice = doubles.doubles.filter(({ unit }) => !isReplica(unit));
    assert.deepEqual(twice, [], `in ${doubles.samples} samples`);
    assert.equal(seen.mostCopies, 2, "they were handed over");
    await isReady(replicas + singles.length);
    for (const name of singles) assert.equal(machineOf(name).length, 1);
  });

  test("no new unit comes to it, and one that fits nowhere else says so", async () => {
    await cluster.start({
      "new.service": probeUnit(),
      "pinned.service": probeUnit("[X-Fleet]\nMachineID=m2\n"),
    });
    await cluster.until("new.service runs", () => machineOf("new.service").length === 1);
    assert.notDeepEqual(machineOf("new.service"), ["m2"]);
    const { stdout } = await cluster.keel(["why", "pinned.service"]);
    assert.match(stdout, /m2 .*is being drained/);
    await cluster.destroy(["new.service"]);
  });

  test("undo puts it into service again", async () => {
    await cluster.keel(["machine", "undrain", "m2"]);
    await cluster.until("pinned.service runs", () => machineOf("pinned.service").length === 1);
    assert.deepEqual(on("m2"), ["pinned.service"]);
  });

  test("a drain that would leave a unit without a machine is refused, with the plan", async () => {
    const refused = await cluster.keel(["machine", "drain", "m2"], { expect: 4 });
    assert.match(refused.stderr, /KEEL-531/);
    assert.match(refused.stderr, /pinned\.service/);
    assert.match(refused.stderr, /--allow-stranded/);
    assert.deepEqual(on("m2"), ["pinned.service"]);
    await cluster.destroy(["pinned.service"]);
  });

  test("a reboot drains, boots and puts the machine into service again", async (t) => {
    const { machines } = await cluster.snapshot();
    const boot = machines.find(({ name }) => name === "m3")?.since;
    await using watch = await Watch.begin(cluster, new Replicas().count);
    await cluster.keel(["machine", "reboot", "m3"]);
    await watch.atLeast(t, replicas, ["m3"]);
    const { snapshot } = await cluster.until("m3 is back", (now) =>
      now.machines.some(({ name, state }) => name === "m3" && state === "up"),
    );
    assert.notEqual(snapshot.machines.find(({ name }) => name === "m3")?.since, boot);
    await isReady(replicas + singles.length);
  });

  test("a rebalancing brings units back, as few at a time as a drain", async (t) => {
    const { stdout } = await cluster.keel(["rebalance", "--dry-run"]);
    assert.match(stdout, /m[12] → m[23] +rebalance: m[12] has \d/);
    const doubles = new DoubleWatch(cluster.name);
    await using watch = await Watch.begin(cluster, new Replicas().count);
    await cluster.keel(["rebalance"]);
    await doubles.stop();
    assert.deepEqual(
      doubles.doubles.filter(({ unit }) => !isReplica(unit)),
      [],
    );
    await watch.atLeast(t, replicas);
    await isReady(replicas + singles.length);
    const sizes = ["m1", "m2", "m3"].map((name) => on(name).length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join());
    assert.match((await cluster.keel(["rebalance"])).stdout, /no change/);
    assert.match((await cluster.keel(["rebalance", "--auto", "on"])).stdout, /change settings/);
    assert.match((await cluster.keel(["undo"])).stdout, /undo/);
  });

  test("one replica restarts alone, and none stops alone", async () => {
    const before = runningProbes(cluster.name).filter(({ unit }) => isReplica(unit));
    const { stdout } = await cluster.keel(["restart", "web@2"]);
    assert.match(stdout, /^web@2\.service +m[123] +[0-9a-f]{12} → [0-9a-f]{12}\n$/);
    const now = runningProbes(cluster.name).filter(({ unit }) => isReplica(unit));
    const changed = now.filter(({ pid }) => !before.some((probe) => probe.pid === pid));
    assert.deepEqual(
      changed.map(({ unit }) => unit),
      ["web@2.service"],
    );
    const refused = await cluster.keel(["stop", "web@2"], { expect: 2 });
    assert.match(refused.stderr, /keel scale web@\.service/);
  });

  test("a unit that fails again and again moves to where it runs", async () => {
    for (const name of ["m1", "m3"]) await cluster.inside(name, "touch /run/spoilt");
    const start = '/bin/sh -c "test -e /run/spoilt && exit 1; exec sleep infinity"';
    const body = `[Service]\nExecStart=${start}\n[X-Keelson]\nMoveAfter=2\n`;
    await cluster.keel(["machine", "cordon", "m2"]);
    await cluster.start({ "restless.service": body });
    await cluster.until("restless.service fails", ({ instances }) =>
      instances.some(({ name, state }) => name === "restless.service" && state === "failed"),
    );
    await cluster.keel(["machine", "uncordon", "m2"]);
    const { snapshot } = await cluster.until(
      "restless.service is healthy",
      ({ instances }) =>
        instances.some(
          ({ name, state, machineName }) =>
            name === "restless.service" && state === "healthy" && machineName === "m2",
        ),
      120_000,
    );
    const found = snapshot.instances.find(({ name }) => name === "restless.service");
    assert.equal(found?.machineName, "m2");
    assert.match(found?.because ?? "", /^moved from m[13]: it failed there \d+ times/);
    await cluster.destroy(["restless.service"]);
  });

  test("a machine is removed when its units are elsewhere", async (t) => {
    await using watch = await Watch.begin(cluster, new Replicas().count);
    await cluster.keel(["machine", "rm", "m3"]);
    await watch.atLeast(t, replicas, ["m3"]);
    await isReady(replicas + singles.length);
    const { machines } = await cluster.snapshot();
    assert.deepEqual(machines.map(({ name }) => name).toSorted(), ["m1", "m2"]);
  });
});
