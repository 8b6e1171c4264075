// scheduling and metadata of the original's list.
import assert from "node:assert/strict";
import { test } from "node:test";
import { homesOf, machines, sleeper, type Stage } from "./stage.ts";

export function scheduling(stage: Stage): void {
  const { cluster } = stage;
  const untilPlaced = (
    count: number,
    of: (name: string) => boolean = () => true,
  ): Promise<Record<string, string>> =>
    cluster
      .until(`${count} run`, (now) => Object.keys(homesOf(now)).filter(of).length === count)
      .then(({ snapshot }) => homesOf(snapshot));
  const launch = async (files: Readonly<Record<string, string>>): Promise<void> => {
    await cluster.keel(["start", "--no-block", ...(await stage.files(files))]);
  };

  test("ScheduleMachineOf", async () => {
    const files: Record<string, string> = {};
    for (const pair of ["ping", "pong", "pang"]) {
      files[`${pair}.service`] = sleeper(`Conflicts=p?ng.service`);
      files[`${pair}-beside.service`] = sleeper(`MachineOf=${pair}.service`);
    }
    await launch(files);
    const homes = await untilPlaced(6);
    for (const pair of ["ping", "pong", "pang"])
      assert.equal(homes[`${pair}.service`], homes[`${pair}-beside.service`], pair);
    assert.equal(new Set([homes["ping.service"], homes["pong.service"], homes["pang.service"]]).size, 3);
    const lost = homes["pong.service"] ?? "";
    await cluster.keel(["machine", "kill", lost]);
    const { snapshot } = await cluster.until("the pair moved together", (now) => {
      const after = homesOf(now);
      return (
        after["pong.service"] !== lost &&
        after["pong.service"] === after["pong-beside.service"] &&
        after["pong.service"] !== undefined
      );
    });
    const after = homesOf(snapshot);
    assert.deepEqual(
      [after["ping.service"], after["pang.service"]],
      [homes["ping.service"], homes["pang.service"]],
      "the others stayed",
    );
    await backAgain(lost);
  });

  test("ScheduleConflicts", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 6 }, (_, i) => [`conflict@${i}.service`, sleeper("Conflicts=conflict@*.service")]),
    );
    await launch(files);
    const homes = await untilPlaced(machines.length);
    assert.deepEqual(Object.values(homes).toSorted(), [...machines], "one on each machine, and no more");
  });

  test("ScheduleOneWayConflict", async () => {
    const pin = `MachineID=${await stage.machineId("m1")}`;
    await launch({ "first.service": sleeper(pin) });
    await untilPlaced(1);
    await launch({ "second.service": sleeper(`MachineMetadata=zone=a\nConflicts=first.service`) });
    const why = await cluster.keel(["why", "second.service"]);
    assert.match(why.stdout, /m1 .*has first\.service, with which it conflicts/);
    await cluster.keel(["destroy", "first.service"]);
    await cluster.until("the other one runs", (now) => homesOf(now)["second.service"] !== undefined);
  });

  test("ScheduleMultipleConflicts", async () => {
    const one = (name: string, others: readonly string[]): Record<string, string> => ({
      [`${name}.service`]: sleeper(others.map((other) => `Conflicts=${other}*`).join("\n")),
    });
    await launch({
      ...one("app-a", ["web-", "db-"]),
      ...one("web-a", ["app-", "db-"]),
      ...one("db-a", ["app-", "web-"]),
    });
    const homes = await untilPlaced(3);
    assert.equal(new Set(Object.values(homes)).size, 3);
  });

  test("ScheduleReplace", async () => {
    await launch({ "replaced.service": sleeper() });
    const { "replaced.service": first = "" } = await untilPlaced(1);
    const pinned = sleeper("Replaces=replaced.service\nMachineMetadata=name=" + first);
    await stage.cluster.operate({ kind: "set-metadata", machine: first, metadata: { name: first } });
    await launch({ "replacer.service": pinned });
    const { snapshot } = await cluster.until("both run, apart", (now) => {
      const homes = homesOf(now);
      return (
        homes["replacer.service"] === first &&
        homes["replaced.service"] !== undefined &&
        homes["replaced.service"] !== first
      );
    });
    assert.equal(homesOf(snapshot)["replacer.service"], first);
  });

  test("ScheduleCircularReplace", async () => {
    const pin = `MachineMetadata=zone=b`;
    await launch({ "one.service": sleeper(`Replaces=two.service\n${pin}`) });
    await untilPlaced(1);
    await launch({ "two.service": sleeper(`Replaces=one.service\n${pin}`) });
    const homes = await untilPlaced(2);
    assert.equal(Object.keys(homes).length, 2, "neither gives way to the other");
  });

  test("ScheduleConditionMachineID", async () => {
    const files: Record<string, string> = {};
    for (const name of machines.slice(0, 3)) {
      const id = await stage.machineId(name);
      files[`on-${name}.service`] = sleeper(name === "m2" ? `X-ConditionMachineID=${id}` : `MachineID=${id}`);
    }
    await launch(files);
    assert.deepEqual(await untilPlaced(3), {
      "on-m1.service": "m1",
      "on-m2.service": "m2",
      "on-m3.service": "m3",
    });
  });

  test("ScheduleGlobalUnits", async () => {
    await launch({
      "solo-1.service": sleeper(),
      "solo-2.service": sleeper(),
      "everywhere.service": sleeper("Global=true"),
    });
    const all = (): Promise<unknown> =>
      cluster.until("the global one runs on every machine", ({ instances }) => {
        const homes = instances.filter(
          ({ name, state }) => name === "everywhere.service" && state === "healthy",
        );
        return homes.length === machines.length;
      });
    await all();
    const rows = (await stage.rows("list-units", "unit,active")).filter(
      ([unit]) => unit === "everywhere.service",
    );
    assert.deepEqual(
      rows,
      machines.map(() => ["everywhere.service", "active"]),
    );
    assert.equal(
      (await cluster.keel(["status", "everywhere.service"])).stdout.match(/Active: active/g)?.length,
      machines.length,
    );
    await cluster.keel(["restart", "everywhere.service"]);
    await all();
  });

  test("ScheduleGlobalConflicts", async () => {
    await launch({ "lone.service": sleeper(`MachineID=${await stage.machineId("m2")}`) });
    await untilPlaced(1);
    await launch({ "around.service": sleeper("Global=true\nConflicts=lone.service") });
    const { snapshot } = await cluster.until("the global one runs on the others", ({ instances }) => {
      return (
        instances.filter(({ name, state }) => name === "around.service" && state === "healthy").length === 3
      );
    });
    const homes = snapshot.instances
      .filter(({ name }) => name === "around.service")
      .map(({ machineName }) => machineName);
    assert.deepEqual(new Set(homes), new Set(["m1", "m3", "m4"]));
  });

  test("TemplatesWithSpecifiersInMetadata", async () => {
    await stage.hand("submit", { "metadata@.service": sleeper("MachineMetadata=zone=%i") });
    await cluster.keel(["start", "--no-block", "metadata@b.service", "metadata@nowhere.service"]);
    const homes = await untilPlaced(1);
    assert.deepEqual(Object.keys(homes), ["metadata@b.service"]);
    const { machines: all } = await cluster.snapshot();
    assert.equal(all.find(({ name }) => name === homes["metadata@b.service"])?.metadata["zone"], "b");
    const why = await cluster.keel(["why", "metadata@nowhere.service"]);
    assert.match(why.stdout, /not nowhere/);
  });

  async function backAgain(machine: string): Promise<void> {
    await cluster.keel(["machine", "start", machine]);
    await cluster.until(
      "all machines are up",
      ({ machines: all }) => all.every(({ state }) => state === "up"),
      30_000,
    );
  }
}
