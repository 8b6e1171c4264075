// Batch work on three real machines: what runs to its end does so once in the cluster, failed runs are tried again,
// timers fire once for all machines, and none of that depends on a daemon, a leader or a machine that lives on.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JobsView, RunView } from "../../packages/keelson/src/api/wire/job.ts";
import type { TimersView } from "../../packages/keelson/src/api/wire/timer.ts";
import { Cluster, DoubleWatch, processes, runningProbes, sleep } from "../support/cluster.ts";
import { loadHelloImage } from "../support/hello-image.ts";
import { whyNoMachines } from "../support/machines.ts";
import { patiently } from "../support/patiently.ts";

const cluster = new Cluster(`t${process.pid}-batch`);
const skip = whyNoMachines();
const machines = ["m1", "m2", "m3"];
let folder = "";

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function jobs(): Promise<JobsView["jobs"]> {
  const { body } = await cluster.api("GET", "/v1/jobs");
  return (body as JobsView).jobs;
}

/** The runs of a unit's one job, the newest first. */
async function runs(instance: string): Promise<readonly RunView[]> {
  const [job, second] = (await jobs()).filter((one) => one.instance === instance);
  assert.equal(second, undefined, `${instance} has one job`);
  return job?.runs ?? [];
}

async function ended(instance: string, number: number, timeoutMs = 120_000): Promise<RunView> {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(200)) {
    const run = (await runs(instance)).find((one) => one.number === number);
    if (run?.state === "succeeded" || run?.state === "failed") return run;
    assert.ok(Date.now() < deadline, `run ${number} of ${instance}: ${JSON.stringify(run)}`);
  }
}

const sh = (machine: string, line: string): Promise<string> => cluster.inside(machine, line);

/** How often a unit has written a word to the journals of these machines. */
async function count(unit: string, word: string, among = machines): Promise<number> {
  const line = `journalctl --sync; journalctl -q -o cat -u ${unit} --no-pager | grep -c '^${word}' || true`;
  const counts = await Promise.all(among.map((machine) => sh(machine, line)));
  return counts.reduce((sum, text) => sum + Number(text.trim()), 0);
}

const oneshot = (script: string, more = ""): string =>
  `[Service]\nType=oneshot\nExecStart=/bin/sh -c '${script}'\n${more}`;

const leaderName = async (): Promise<string> => {
  const { snapshot } = await cluster.until("a leader", ({ leader }) => leader?.name != null);
  return snapshot.leader?.name ?? "";
};

/** Kills keeld on a machine, and waits until there is another. */
async function killKeeld(machine: string): Promise<void> {
  const keeld = (): number | undefined =>
    processes(cluster.name, /keeld\.js/).find((one) => one.machine === machine)?.pid;
  const pid = keeld();
  assert.ok(pid !== undefined, `keeld runs on ${machine}`);
  process.kill(pid, "SIGKILL");
  await patiently(() => {
    const now = keeld();
    assert.ok(now !== undefined && now !== pid, `keeld is started again on ${machine}`);
  });
}

const allUp = (): Promise<unknown> =>
  cluster.until("all machines are up", (snapshot) => snapshot.machines.every(({ state }) => state === "up"));

describe("batch work", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-batch-"));
    await cluster.keel(["up", "--no-example"]);
    await loadHelloImage(cluster, folder);
  });
  after(async () => {
    await cluster.down();
    await rm(folder, { recursive: true, force: true });
  });

  test("a job runs once, and its result outlives its place", async () => {
    const path = await file("once.service", oneshot("sleep 1; echo ran"));
    const { stdout } = await cluster.keel(["start", path]);
    const { machineName, ...run } = (await ended("once.service", 1)) as RunView & { machineName: string };
    assert.match(stdout, new RegExp(`once.service +ran on ${machineName}`));
    assert.deepEqual([run.state, run.attempt - run.losses, run.reason], ["succeeded", 1, ""]);
    assert.match(run.invocation, /^[0-9a-f]{32}$/);
    assert.ok((run.ended ?? 0) - (run.started ?? 0) >= 1000, "it took its second");
    assert.equal((await sh(machineName, "ls /run/systemd/system | grep -c once || true")).trim(), "0");
    const listed = await cluster.keel(["list-units", "once"]);
    assert.match(listed.stdout, new RegExp(`once.service +${machineName} +succeeded +inactive +dead`));
    assert.match((await cluster.keel(["journal", "--run", "1", "once"])).stdout, / ran$/m);
    const ran = await count("once", "ran");
    assert.ok(ran >= 1 && ran <= run.attempt, `it ran ${ran} times`);
    await killKeeld(machineName);
    await allUp();
    await sleep(3000);
    assert.equal(await count("once", "ran"), ran);
    await cluster.keel(["start", "once"]);
    const { attempt } = await ended("once.service", 2);
    const again = (await count("once", "ran")) - ran;
    assert.ok(again >= 1 && again <= attempt, `it ran ${again} times`);
    assert.match(
      (await cluster.keel(["runs", "once"])).stdout,
      /once.service +2 +succeeded[^]*once.service +1 +succeeded/,
    );
  });

  test("a run that fails is tried again; one that goes on failing says why", async () => {
    const script =
      "n=$(cat /run/tries || echo 0); echo $((n+1)) > /run/tries; echo try $n; [ $n -ge 2 ] || exit 3";
    const retries = "[X-Fleet]\nMachineID=m2\n[X-Keelson]\nRetries=3\nRetryDelay=1\n";
    await cluster.keel(["start", await file("flaky.service", oneshot(script, retries))]);
    const run = await ended("flaky.service", 1);
    const { state, attempt, losses, failures, machineName } = run;
    assert.deepEqual([state, attempt, machineName], ["succeeded", failures + losses + 1, "m2"]);
    assert.ok(losses > 0 || failures === 2, `${failures} failures`);
    const tries = await count("flaky", "try");
    assert.ok(tries >= failures + 1 && tries <= attempt, `${tries} tries`);
    const bad = await file(
      "bad.service",
      oneshot("echo no such disk; exit 7", "[X-Keelson]\nRetries=1\nRetryDelay=0\n"),
    );
    const { stdout, stderr } = await cluster.keel(["start", bad], { expect: 1 });
    assert.match(stdout + stderr, /exit status 7: no such disk/);
    const failed = await ended("bad.service", 1);
    assert.deepEqual([failed.state, failed.attempt - failed.losses, failed.status], ["failed", 2, 7]);
    const { stdout: list } = await cluster.keel(["list-units", "bad"]);
    assert.match(list, /bad.service +m\d +failed +failed +failed +- +exit status 7: no such disk/);
  });

  test("a container runs to its end", async () => {
    const text =
      "[Container]\nImage=localhost/hello:latest\nLogDriver=none\nExec=sh -c 'echo done in a container'\n[Service]\nType=oneshot\n";
    await cluster.keel(["start", await file("crunch.container", text)]);
    const run = await ended("crunch.container", 1);
    assert.equal(run.state, "succeeded", run.reason);
    const done = await count("crunch", "done in a container");
    assert.ok(done >= 1 && done <= run.attempt, `it ran ${done} times`);
  });

  test("a global job runs once on every machine", async () => {
    const text = oneshot("echo prepared", "[X-Fleet]\nGlobal=true\n");
    await cluster.keel(["start", await file("prepare.service", text)]);
    const done = (await jobs()).filter(({ instance }) => instance === "prepare.service");
    assert.deepEqual(done.map(({ machineName, runs }) => `${machineName} ${runs[0]?.state}`).toSorted(), [
      "m1 succeeded",
      "m2 succeeded",
      "m3 succeeded",
    ]);
    for (const machine of machines) assert.equal(await count("prepare", "prepared", [machine]), 1, machine);
  });

  test("a timer fires once for each due time, whoever leads", async () => {
    await cluster.keel(["submit", await file("tick.service", oneshot("echo ticked"))]);
    await cluster.keel(["start", await file("tick.timer", "[Timer]\nOnCalendar=*:*:0/2\n")]);
    await ended("tick.service", 3);
    const lost = await leaderName();
    await killKeeld(lost);
    await cluster.until("another leads", ({ leader }) => leader?.name != null && leader.name !== lost);
    const before = (await runs("tick.service"))[0]?.number ?? 0;
    await ended("tick.service", before + 3);
    await cluster.keel(["stop", "tick.timer"]);
    await cluster.until("the timer stands", ({ instances }) =>
      instances.some(({ name, active }) => name === "tick.timer" && active === "inactive"),
    );
    await sleep(1500);
    const all = await runs("tick.service");
    const dues = all.map(({ cause }) => Date.parse(/^tick\.timer at (\S+)$/.exec(cause)?.[1] ?? ""));
    assert.ok(
      dues.every((due) => due % 2000 === 0),
      `each at its time: ${all.map(({ cause }) => cause).join("; ")}`,
    );
    assert.equal(new Set(dues).size, dues.length, "no due time twice");
    assert.ok(all.every(({ state, attempt, losses }) => state === "succeeded" && attempt - losses === 1));
    const [ticked, attempts] = [
      await count("tick", "ticked"),
      all.reduce((sum, run) => sum + run.attempt, 0),
    ];
    assert.ok(ticked >= all.length && ticked <= attempts, `${ticked} for ${all.length} runs`);
    const { body } = await cluster.api("GET", "/v1/timers");
    const [timer] = (body as TimersView).timers;
    assert.deepEqual([timer?.last, timer?.outcome, timer?.next], [dues[0], "started", null]);
    assert.match((await cluster.keel(["timers"])).stdout, /tick\.timer +never/);
  });

  test("keeld dies while it runs, and while it ends: the run is the same", async () => {
    const survives = async (seconds: number): Promise<void> => {
      const unit = `nap${seconds}.service`;
      const path = await file(unit, oneshot(`echo begun; sleep ${seconds}; echo survived`));
      await cluster.keel(["start", "--no-wait", path]);
      const { snapshot } = await cluster.until(
        `${unit} runs`,
        ({ instances }) => instances.some(({ name, state }) => name === unit && state === "running"),
        60_000,
        20,
      );
      const on = snapshot.instances.find(({ name }) => name === unit)?.machineName ?? "";
      await killKeeld(on);
      const run = await ended(unit, 1);
      assert.deepEqual([run.state, run.failures, run.reason], ["succeeded", 0, ""]);
      // Only a host so busy that keeld is not back within a lease moves it: then that is an attempt of its own.
      if (run.losses === 0) assert.equal(run.machineName, on);
      assert.match(run.invocation, /^[0-9a-f]{32}$/);
      await sleep(1000);
      const survived = await count(unit, "survived");
      assert.equal(await count(unit, "begun"), run.attempt, unit);
      assert.ok(survived >= 1 && survived <= run.attempt, `${unit} came to its end ${survived} times`);
    };
    await Promise.all([survives(2), survives(8)]);
  });

  test("its machine is lost: the run is tried again elsewhere, never at the same time", async () => {
    const text = "[Service]\nType=oneshot\nExecStart=@/usr/bin/sleep keelson-probe:%n 6\n";
    await cluster.keel(["start", "--no-wait", await file("long.service", text)]);
    const watch = new DoubleWatch(cluster.name);
    const victim = await patiently(() => {
      const [probe] = runningProbes(cluster.name);
      assert.ok(probe, "it runs");
      return probe.machine;
    });
    await cluster.keel(["machine", "kill", victim]);
    const run = await ended("long.service", 1);
    assert.deepEqual([run.state, run.attempt - run.losses], ["succeeded", 1]);
    assert.ok(run.losses >= 1);
    assert.notEqual(run.machineName, victim);
    await cluster.keel(["machine", "start", victim]);
    await allUp();
    await sleep(3000);
    await watch.stop();
    assert.deepEqual(watch.doubles, [], `in ${watch.samples} samples`);
    assert.deepEqual(runningProbes(cluster.name), [], "it is not begun again by the machine that is back");
    assert.equal((await runs("long.service")).length, 1);
    // What ran before on any machine is not begun again by its loss either.
    assert.equal((await runs("once.service")).length, 2);
    assert.equal((await runs("flaky.service")).length, 1);
  });

  test("nothing is left of what is destroyed", async () => {
    await cluster.keel(["destroy", "--all", "--confirm", cluster.name]);
    await cluster.until("everything gone", ({ instances }) => instances.length === 0);
    await patiently(async () => {
      const { body } = await cluster.api("GET", "/v1/timers");
      const left = [...(await jobs()), ...(body as TimersView).timers].map(({ name }) => name);
      assert.deepEqual(left, []);
    }, 200);
  });
});
