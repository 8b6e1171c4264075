// cluster, connectivity-loss, node, server and shutdown of the original's list: machines and their daemons.
import assert from "node:assert/strict";
import { test } from "node:test";
import { processes, runningProbes, probeUnit, sleep } from "../../support/cluster.ts";
import { homesOf, machines, onMachine, sleeper, type Stage } from "./stage.ts";
import { patiently } from "../../support/patiently.ts";

export function machineChecks(stage: Stage): void {
  const { cluster } = stage;
  const state = (machine: string, wanted: string, timeoutMs = 30_000): Promise<unknown> =>
    cluster.until(
      `${machine} is ${wanted}`,
      (now) => now.machines.some(({ name, state: is }) => name === machine && is === wanted),
      timeoutMs,
    );
  const running = (): string[] =>
    runningProbes(cluster.name)
      .map(({ unit, machine, pid }) => `${unit} ${machine} ${pid}`)
      .toSorted();

  test("DynamicClusterNewMemberUnitMigration", async () => {
    const files = Object.fromEntries(
      [1, 2, 3].map((number) => [
        `conflict@${number}.service`,
        probeUnit("\n[X-Fleet]\nConflicts=conflict@*.service\n"),
      ]),
    );
    await cluster.start(files);
    const before = await stage.untilActive(...Object.keys(files));
    const free = machines.find((machine) => !Object.values(before).includes(machine)) ?? "";
    const [unit = "", lost = ""] = Object.entries(before)[1] ?? [];
    await cluster.keel(["machine", "kill", lost]);
    const { snapshot } = await cluster.until("the unit moved", (now) => homesOf(now)[unit] === free);
    for (const [name, machine] of Object.entries(homesOf(snapshot)))
      assert.equal(machine, name === unit ? free : before[name], `${name}: only ${unit} moved`);
    await cluster.keel(["machine", "start", lost]);
    await state(lost, "up");
  });

  test("DynamicClusterMemberReboot", async () => {
    const names = ["reboot-1.service", "reboot-2.service", "reboot-3.service"];
    await cluster.start(Object.fromEntries(names.map((name) => [name, probeUnit()])));
    const before = await stage.untilActive(...names);
    const victim = before[names[0] ?? ""] ?? "";
    await cluster.keel(["machine", "kill", victim]);
    await cluster.keel(["machine", "start", victim]);
    await state(victim, "up");
    await stage.untilActive(...names);
    const copies = runningProbes(cluster.name).map(({ unit }) => unit);
    assert.deepEqual(copies.toSorted(), names, "all came back, none doubled");
  });

  test("SingleNodeConnectivityLoss", async () => {
    for (const desired of ["inactive", "loaded", "launched"]) {
      await cluster.operate({
        kind: "submit",
        desired,
        files: [
          { name: `single-${desired}.service`, body: Buffer.from(probeUnit()).toString("base64") },
          {
            name: `global-${desired}.service`,
            body: Buffer.from(probeUnit("\n[X-Fleet]\nGlobal=true\n")).toString("base64"),
          },
        ],
      });
    }
    const look = async (): Promise<unknown> => ({
      files: await stage.rows("list-unit-files", "unit,dstate,state"),
      units: await stage.rows("list-units", "unit,load,active,machine"),
    });
    await cluster.until("all as desired", ({ units }) =>
      units.every(({ wanted, healthy }) => wanted === healthy),
    );
    const [before, ran] = [await look(), running()];
    const store = processes(cluster.name, /keeld\.js/).filter(({ machine }) => machine.startsWith("host."));
    for (const { pid } of store) process.kill(pid, "SIGSTOP");
    try {
      await sleep(6000);
      assert.deepEqual(running(), ran, "while nobody reaches the store");
    } finally {
      for (const { pid } of store) process.kill(pid, "SIGCONT");
    }
    await sleep(9000);
    assert.deepEqual(running(), ran, "and after it");
    assert.deepEqual(await look(), before);
  });

  test("NodeShutdown", async () => {
    await cluster.start({ "pinned.service": probeUnit("\n[X-Fleet]\nMachineMetadata=zone=b\n") });
    const { "pinned.service": machine = "" } = await stage.untilActive("pinned.service");
    await stage.inside(machine, "systemctl stop keeld.service");
    await cluster.until("its units’ states are gone", ({ instances }) =>
      instances.every((one) => one.machineName !== machine || one.state === "unknown"),
    );
    const [, state] =
      (await stage.rows("list-machines", "name,state")).find(([name]) => name === machine) ?? [];
    assert.notEqual(state, "up", "it is not listed as one that reports");
    assert.deepEqual(
      runningProbes(cluster.name).filter((probe) => probe.machine === machine),
      [],
      "its unit was stopped",
    );
    await daemonAgain(machine);
  });

  test("DetectMachineId", async () => {
    const theirs = await stage.machineId("m1");
    const own = (await stage.inside("m2", "cat /etc/machine-id")).trim();
    await stage.inside(
      "m2",
      `systemctl stop keeld.service; echo ${theirs} >/run/id; mount --bind /run/id /etc/machine-id`,
    );
    await stage.inside("m2", "systemctl start --no-block keeld.service");
    await sleep(7000);
    const { machines: all } = await cluster.snapshot();
    const listed = all.filter(({ id }) => id === theirs);
    assert.deepEqual(
      listed.map(({ name, state: is }) => [name, is]),
      [["m1", "up"]],
      "who has the identity keeps it",
    );
    await stage.inside("m2", "umount /etc/machine-id; systemctl restart --no-block keeld.service");
    await state("m2", "up");
    assert.equal((await stage.inside("m2", "cat /etc/machine-id")).trim(), own);
  });

  test("ReconfigureServer", async () => {
    const listeners = (): Promise<string> =>
      stage.inside("m3", "ss -Hlnt 'sport >= 1024' | awk '{print $4}' | sort");
    const pid = (): Promise<string> => stage.inside("m3", "systemctl show -P MainPID keeld.service");
    const before = [await listeners(), await pid()];
    assert.match(before[0] ?? "", /:\d+/);
    await stage.inside(
      "m3",
      "systemctl reload keeld.service; systemctl kill --kill-whom=main -s USR1 keeld.service",
    );
    await patiently(async () => {
      const log = await stage.inside("m3", "journalctl -q -u keeld.service --no-pager -n 300");
      assert.match(log, /configuration was read again/);
      assert.match(log, /how things stand/);
    }, 500);
    assert.deepEqual([await listeners(), await pid()], before);
    await state("m3", "up");
  });

  test("Shutdown", async () => {
    await stage.inside("m3", "systemctl stop keeld.service");
    const result = await stage.inside(
      "m3",
      "systemctl show -P Result -P ActiveState -P ExecMainStatus keeld.service",
    );
    assert.deepEqual(result.trim().split("\n").toSorted(), ["0", "inactive", "success"]);
    await daemonAgain("m3");
  });

  test("ShutdownVsMonitor", async () => {
    await cluster.start({ "hello.service": sleeper("MachineMetadata=zone=c") });
    const { "hello.service": machine = "" } = await stage.untilActive("hello.service");
    const store = processes(cluster.name, /keeld\.js/).filter(({ machine: at }) => at.startsWith("host."));
    for (const { pid } of store) process.kill(pid, "SIGSTOP");
    try {
      await sleep(3000);
      await stage.inside(machine, "systemctl stop keeld.service");
      const result = await stage.inside(machine, "systemctl show -P Result -P ActiveState keeld.service");
      assert.deepEqual(
        result.trim().split("\n").toSorted(),
        ["inactive", "success"],
        "it ends while the store is away",
      );
    } finally {
      for (const { pid } of store) process.kill(pid, "SIGCONT");
    }
    await daemonAgain(machine);
    await stage.untilActive("hello.service");
  });

  async function daemonAgain(machine: string): Promise<void> {
    await stage.inside(machine, "systemctl start --no-block keeld.service");
    await state(machine, "up");
    await cluster.until("it is as before", (now) => onMachine(now.instances, machine).length >= 0);
  }
}
