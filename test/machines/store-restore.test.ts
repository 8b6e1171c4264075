// The running store of a cluster on real machines is put back to a backup: what was destroyed since is back, what came
// since is gone, and what is in both was not restarted.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rename, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { SnapshotView } from "../../packages/keelson/src/api/wire/snapshot.ts";
import { Cluster, DoubleWatch, probeUnit, processes, runningProbes, sleep } from "../support/cluster.ts";
import { whyNoMachines } from "../support/machines.ts";
import { unlessBusy } from "../support/time-to-spare.ts";

const cluster = new Cluster(`t${process.pid}-back`);
const skip = whyNoMachines();
const both = ["stays-1.service", "stays-2.service", "stays-3.service"];
/** Started anew since the backup was taken. */
const restarted = "stays-3.service";
/** In the backup on another machine than in the store; takes its time to stop. */
const moved = "moved.service";
const placedUnit = (machine: string): string =>
  probeUnit(`ExecStop=/usr/bin/sleep 2\n\n[X-Fleet]\nMachineID=${machine}\n`);
const healthy = (snapshot: SnapshotView, names: readonly string[]): boolean =>
  names.every((name) => snapshot.instances.some((it) => it.name === name && it.state === "healthy"));
const running = (): Record<string, string> =>
  Object.fromEntries(
    runningProbes(cluster.name).map(({ unit, machine, pid }) => [unit, `${machine} ${pid}`]),
  );

interface Restored {
  readonly plan: {
    readonly units: { readonly appear: string[]; readonly vanish: string[]; readonly change: string[] };
    readonly keptAs: string;
  };
  readonly outcome: { readonly pauseMs: number };
}

describe("the running store is restored", { skip, timeout: 1_200_000 }, () => {
  let folder = "";
  let file = "";
  let was: Record<string, string> = {};
  /** The store's data directory. */
  let place = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-restore-"));
    file = join(folder, "b.db");
    await cluster.keel(["up", "--no-example"]);
    const names = [...both, "lost.service", "changes.service"];
    const unit = probeUnit("Restart=always\nRestartSec=100ms\n");
    await cluster.start(Object.fromEntries(names.map((name) => [name, unit])));
    const [first, second] = (await cluster.snapshot()).machines;
    assert.ok(first && second);
    await cluster.start({ [moved]: placedUnit(first.id) });
    names.push(moved);
    await cluster.until("every probe is healthy", (snapshot) => healthy(snapshot, names));
    await cluster.keel(["store", "backup", file]);
    await cluster.destroy(["lost.service"]);
    await cluster.start({ "new.service": probeUnit() });
    await cluster.start({ "changes.service": probeUnit("Environment=CHANGED=yes\n") }, { replace: true });
    await cluster.start({ [moved]: placedUnit(second.id) }, { replace: true });
    await cluster.operate({ kind: "restart", units: { names: [restarted] } });
    await cluster.until(`${moved} has moved`, () => running()[moved]?.startsWith(`${second.name} `) === true);
    await cluster.until(
      "the store is another one",
      (snapshot) =>
        healthy(snapshot, ["new.service"]) && !snapshot.units.some(({ name }) => name === "lost.service"),
    );
    const expected = [...both, "changes.service", "new.service", moved].toSorted().join();
    await cluster.until(
      "what is gone has ended",
      () => Object.keys(running()).toSorted().join() === expected,
    );
    was = running();
  });
  const invocations = async (): Promise<Record<string, string>> => {
    const { instances } = await cluster.snapshot();
    return Object.fromEntries(
      instances.filter(({ name }) => both.includes(name)).map((it) => [it.name, it.invocation]),
    );
  };
  const killDaemon = (): void => {
    const daemons = processes(cluster.name, /keeld\.js/).filter(({ machine }) => machine.startsWith("host."));
    assert.ok(daemons.length > 0);
    for (const { pid } of daemons) process.kill(pid, "SIGKILL");
  };
  after(async () => {
    await cluster.down();
    await rm(folder, { recursive: true, force: true });
  });

  test("a dry run changes nothing, and a damaged file is refused", async () => {
    const { revision } = await cluster.snapshot();
    const tried = await cluster.keel(["store", "restore", file, "--dry-run", "-o", "json"]);
    const { plan } = JSON.parse(tried.stdout) as Restored;
    assert.deepEqual(plan.units, {
      appear: ["lost.service"],
      vanish: ["new.service"],
      change: ["changes.service", moved],
    });
    const damaged = join(folder, "damaged.db");
    await cluster.keel(["store", "backup", damaged]);
    await truncate(damaged, 20_000);
    const refused = await cluster.keel(["store", "restore", damaged, "--yes"], { expect: 1 });
    assert.match(refused.stderr, /KEEL-721/);
    assert.deepEqual(running(), was);
    assert.ok((await cluster.snapshot()).revision >= revision);
  });

  test("what was lost is back, what came since is gone, the rest was not restarted", async (t) => {
    const before = await invocations();
    const doubles = new DoubleWatch(cluster.name);
    const restored = await cluster.keel(["store", "restore", file, "--yes", "-o", "json"]);
    const { plan, outcome } = JSON.parse(restored.stdout) as Restored;
    const { ms, snapshot } = await cluster.until(
      "the cluster is as it was",
      (seen) =>
        healthy(seen, [...both, "lost.service", "changes.service", moved]) &&
        !seen.instances.some(({ name }) => name === "new.service"),
    );
    t.diagnostic(`nobody could write for ${outcome.pauseMs} ms; all was in place ${Math.round(ms)} ms later`);
    assert.ok(existsSync(plan.keptAs));
    place = plan.keptAs.replace(/\.before-restore-.*/, "");
    assert.equal(snapshot.machines.filter(({ state }) => state === "up").length, snapshot.machines.length);
    await cluster.until("what came since has ended", () => running()["new.service"] === undefined);
    const now = running();
    assert.ok(now["lost.service"]);
    const invoked = await invocations();
    unlessBusy(t, () => {
      for (const name of both) assert.equal(now[name], was[name], `${name} was not touched`);
      assert.deepEqual(invoked, before);
    });
    assert.notEqual(
      now[moved]?.split(" ")[0],
      was[moved]?.split(" ")[0],
      `${moved} is where the backup wants it`,
    );
    await doubles.stop();
    assert.deepEqual(doubles.doubles, [], "nothing ran twice");
    // Somebody leads, and machines hear of changes.
    await cluster.start({ "after.service": probeUnit() });
    await cluster.until("units are started", (seen) => healthy(seen, ["after.service"]));
  });

  test("by hand: machines register and report anew, somebody leads", async () => {
    const before = running();
    const known = await invocations();
    // Started again by systemd: only the status differs from the backup's, and no order does.
    process.kill(Number(before[restarted]?.split(" ")[1]), "SIGKILL");
    await cluster.until("it is started again", ({ instances }) =>
      instances.some(
        (it) => it.name === restarted && it.state === "healthy" && it.invocation !== known[restarted],
      ),
    );
    const fresh = await invocations();
    const byHand = join(folder, "by-hand");
    await cluster.keel(["store", "restore", file, "--data-dir", byHand]);
    killDaemon();
    await rename(place, `${place}.by-hand`);
    await cp(byHand, place, { recursive: true });
    await cluster.keel(["up", "--no-example"]);
    await cluster.until("all report what is", (seen) => {
      const said = Object.fromEntries(seen.instances.map((it) => [it.name, it.invocation]));
      return seen.machines.every(({ state }) => state === "up") && said[restarted] === fresh[restarted];
    });
    assert.deepEqual(await invocations(), fresh);
    await cluster.start({ "by-hand.service": probeUnit() });
    await cluster.until("units are started", (seen) => healthy(seen, ["by-hand.service"]));
  });

  test("the keeld is killed on the way: there is a store, and everything goes on", async (t) => {
    const before = running();
    const scratch = `${place}.restore/store`;
    void cluster.keel(["store", "restore", file, "--yes"]).catch(() => undefined);
    await cluster.until("the backup is restored beside the store", () => existsSync(scratch), 120_000, 5);
    // Some moment between that and the end.
    await sleep(100);
    killDaemon();
    await cluster.keel(["up", "--no-example"]);
    await cluster.until("the cluster is there", (seen) => healthy(seen, both));
    const now = running();
    unlessBusy(t, () => {
      for (const name of both) assert.equal(now[name], before[name], `${name} was not touched`);
    });
  });
});
