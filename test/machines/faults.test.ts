// What must hold when things go wrong, on three real machines: power loss, partitions, a store that is away,
// a leader and daemons that die. Probes are found from the host, so no partition hides a second copy.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";
import { Cluster, DoubleWatch, probeUnit, processes, runningProbes, sleep } from "../support/cluster.ts";
import { whyNoMachines } from "../support/machines.ts";
import { RandomFaults } from "../support/random-faults.ts";
import { patiently } from "../support/patiently.ts";
import { unlessBusy, withTimeToSpare } from "../support/time-to-spare.ts";

const cluster = new Cluster(`t${process.pid}-faults`);
const skip = whyNoMachines();
/** How long faults come at random, and by which seed. */
const stormSeconds = Number(process.env["KEELSON_FAULT_SECONDS"] ?? 30);
const seed = Number(process.env["KEELSON_SEED"] ?? Date.now() % 1_000_000);
/** A machine stops what it has 4.5 to 4.8 s after the last renewal, and others are given it 8.3 s after it at the latest. */
const takenOverMs = 9000;
const names = Array.from({ length: 6 }, (_, i) => `probe-${i + 1}.service`);

/** Who runs what: unit → machine and pid, as the host sees it. */
const running = (): Record<string, string> =>
  Object.fromEntries(
    runningProbes(cluster.name).map(({ unit, machine, pid }) => [unit, `${machine} ${pid}`]),
  );

const allHealthy = (): Promise<unknown> =>
  cluster.until("every probe healthy", ({ instances }) =>
    names.every((name) =>
      instances.some((instance) => instance.name === name && instance.state === "healthy"),
    ),
  );

/** Plays a stretch in which nothing may stop or move; it is handed what ran before. */
const undisturbed = (
  t: TestContext,
  stretch: (was: Record<string, string>) => Promise<void>,
): Promise<void> =>
  withTimeToSpare(t, async () => {
    await allHealthy();
    await stretch(running());
  });

const leaderName = async (): Promise<string> => {
  const { snapshot } = await cluster.until("a leader", ({ leader }) => leader?.name != null);
  return snapshot.leader?.name ?? "";
};

/** The daemons on the host itself, the store among them. */
function hostDaemons(): number[] {
  const found = processes(cluster.name, /keeld\.js/).filter(({ machine }) => machine.startsWith("host."));
  if (found.length === 0) throw new Error("no daemon runs on the host");
  return found.map(({ pid }) => pid);
}

describe("faults", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    await cluster.keel(["up", "--no-example"]);
    await cluster.start(Object.fromEntries(names.map((name) => [name, probeUnit()])));
    await allHealthy();
  });
  after(() => cluster.down());

  test("probes are spread", () => {
    const machines = runningProbes(cluster.name).map(({ machine }) => machine);
    assert.deepEqual([...new Set(machines)].toSorted(), ["m1", "m2", "m3"]);
    assert.equal(machines.length, names.length);
  });

  test("keeld killed, and killed again: nothing stops, nothing moves", (t) =>
    undisturbed(t, async (was) => {
      const daemons = (): number[] =>
        processes(cluster.name, /keeld\.js/).flatMap(({ pid, machine }) =>
          machine.startsWith("host.") ? [] : [pid],
        );
      const first = daemons();
      for (const pid of first) process.kill(pid, "SIGKILL");
      const second = await patiently(() => {
        const others = daemons().filter((pid) => !first.includes(pid));
        if (others.length < first.length) throw new Error("not every keeld is started again");
        return others;
      });
      for (const pid of second) process.kill(pid, "SIGKILL");
      await sleep(takenOverMs);
      assert.deepEqual(running(), was);
    }));

  test("the leader’s keeld is killed: another leads, nothing moves", (t) =>
    undisturbed(t, async (was) => {
      const leader = await leaderName();
      const keeld = processes(cluster.name, /keeld\.js/).find(({ machine }) => machine === leader);
      if (keeld === undefined) throw new Error(`no keeld on ${leader}`);
      process.kill(keeld.pid, "SIGKILL");
      await sleep(takenOverMs);
      await leaderName();
      assert.deepEqual(running(), was);
    }));

  test("the store frozen: nothing stops, nothing moves", (t) =>
    undisturbed(t, async (was) => {
      const host = hostDaemons();
      for (const pid of host) process.kill(pid, "SIGSTOP");
      try {
        await sleep(takenOverMs);
        assert.deepEqual(running(), was, "while the store is frozen");
      } finally {
        for (const pid of host) process.kill(pid, "SIGCONT");
      }
      await sleep(takenOverMs);
      assert.deepEqual(running(), was, "after it thawed");
    }));

  test("the store killed: nothing stops, nothing moves", (t) =>
    undisturbed(t, async (was) => {
      for (const pid of hostDaemons()) process.kill(pid, "SIGKILL");
      try {
        await sleep(takenOverMs);
        assert.deepEqual(running(), was, "while the store is gone");
      } finally {
        await cluster.keel(["up", "--no-example"]);
      }
      await sleep(takenOverMs);
      assert.deepEqual(running(), was, "after it came back");
    }));

  test("a machine cut off: its singletons stop before they start elsewhere", async () => {
    const victim = (await leaderName()) === "m2" ? "m3" : "m2";
    const watch = new DoubleWatch(cluster.name);
    await cluster.keel(["machine", "cut", victim]);
    await cluster.until("its units healthy elsewhere", ({ instances }) =>
      names.every((name) =>
        instances.some(
          (instance) =>
            instance.name === name && instance.state === "healthy" && instance.machineName !== victim,
        ),
      ),
    );
    await cluster.keel(["machine", "heal", victim]);
    await cluster.until("it is back", ({ machines }) =>
      machines.some((machine) => machine.name === victim && machine.state === "up"),
    );
    await sleep(3000);
    await watch.stop();
    assert.deepEqual(watch.doubles, [], `in ${watch.samples} samples`);
    assert.equal(Object.keys(running()).length, names.length);
  });

  test("power lost on the leader: its units are healthy elsewhere", async () => {
    const victim = await leaderName();
    const watch = new DoubleWatch(cluster.name);
    await cluster.keel(["machine", "kill", victim]);
    await cluster.until("units healthy elsewhere", ({ instances }) =>
      names.every((name) =>
        instances.some(
          (instance) =>
            instance.name === name && instance.state === "healthy" && instance.machineName !== victim,
        ),
      ),
    );
    await cluster.keel(["machine", "start", victim]);
    await cluster.until("it is back", ({ machines }) => machines.every((machine) => machine.state === "up"));
    await watch.stop();
    assert.deepEqual(watch.doubles, []);
  });

  test("two of three lost at once: nothing moves, an alarm says why", async (t) => {
    const leader = await leaderName();
    const victims = ["m1", "m2", "m3"].filter((name) => name !== leader);
    const before = runningProbes(cluster.name).filter(({ machine }) => machine === leader);
    await Promise.all(victims.map((name) => cluster.keel(["machine", "kill", name])));
    await cluster.until("the alarm", ({ alarms }) => Object.keys(alarms).includes("mass-failure"));
    await sleep(3000);
    unlessBusy(t, () => assert.deepEqual(runningProbes(cluster.name), before));
    for (const name of victims) await cluster.keel(["machine", "start", name]);
    await cluster.until("the alarm is over", ({ alarms }) => Object.keys(alarms).length === 0);
    await allHealthy();
  });

  test("a machine is frozen and thaws: it stops what others have taken over", async () => {
    const victim = (await leaderName()) === "m2" ? "m3" : "m2";
    const faults = new RandomFaults(cluster, [victim], 1);
    await faults.freeze(victim, 11);
    await allHealthy();
    assert.deepEqual(faults.overlaps, [], `in ${faults.samples} samples`);
    assert.equal(Object.keys(running()).length, names.length);
    assert.equal(runningProbes(cluster.name).length, names.length);
  });

  test(`all of it at random, for ${stormSeconds} s`, { timeout: (stormSeconds + 1200) * 1000 }, async (t) => {
    t.diagnostic(`KEELSON_SEED=${seed} KEELSON_FAULT_SECONDS=${stormSeconds} plays this again`);
    const faults = new RandomFaults(cluster, ["m1", "m2", "m3"], seed);
    await faults.rage(stormSeconds);
    const told = `seed ${seed}\n${faults.told.join("\n")}`;
    await cluster.until(`the machines are back\n${told}`, ({ machines, alarms }) => {
      return machines.every(({ state }) => state === "up") && Object.keys(alarms).length === 0;
    });
    await allHealthy();
    await sleep(3000);
    const longest = Math.max(0, ...faults.afterThaw);
    t.diagnostic(`${faults.samples} samples; after a thaw two copies for up to ${longest.toFixed(0)} ms`);
    assert.deepEqual(faults.overlaps, [], told);
    assert.equal(runningProbes(cluster.name).length, names.length, told);
  });

  test("destroying everything leaves nothing in the store", async () => {
    await cluster.destroy(names);
    await cluster.until(
      "nothing is left",
      ({ instances, units }) => instances.length === 0 && units.length === 0,
    );
    await cluster.keel(["op", "purge", "--confirm", cluster.name]);
    assert.deepEqual(runningProbes(cluster.name), []);
  });
});
