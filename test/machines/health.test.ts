// Health on three real machines: checks over HTTP, TCP and by a command, on the machine and in a container; crash
// loops; failures that move a unit; and dependencies between units on different machines.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import type { InstanceView } from "../../packages/keelson/src/api/wire/instance.ts";
import { Cluster } from "../support/cluster.ts";
import { loadHelloImage } from "../support/hello-image.ts";
import { whyNoMachines } from "../support/machines.ts";

const cluster = new Cluster(`t${process.pid}-health`);
const skip = whyNoMachines();
let folder = "";

const on = (machine: string): string => `[X-Fleet]\nMachineID=${machine}\n`;
const checked = (lines: string): string => `[X-Keelson]\nHealthInterval=1s\nHealthTimeout=1s\n${lines}\n`;
const sleeper = "[Service]\nExecStart=/usr/bin/sleep infinity\n";

/** A web server of files under /run/NAME. */
const server = (name: string, port: number, before = ""): string =>
  `[Service]\nExecStartPre=/bin/mkdir -p /run/${name}\n${before}ExecStart=/usr/bin/busybox httpd -f -p ${port} -h /run/${name}\n`;

async function sh(where: string, line: string): Promise<string> {
  return (await cluster.inside(where, line)).trim();
}

/** Waits until the one instance of that name is so. */
async function becomes(
  name: string,
  what: string,
  condition: (instance: InstanceView) => boolean,
): Promise<InstanceView> {
  const find = (instances: readonly InstanceView[]): InstanceView | undefined => {
    const found = instances.filter((one) => one.name === name && condition(one));
    return found.length === 1 ? found[0] : undefined;
  };
  const { snapshot } = await cluster.until(
    `${name} ${what}`,
    ({ instances }) => find(instances) !== undefined,
  );
  return find(snapshot.instances) as InstanceView;
}

const healthy = (name: string): Promise<InstanceView> =>
  becomes(name, "is healthy", ({ state }) => state === "healthy");

async function why(name: string): Promise<string> {
  return (await cluster.keel(["why", name])).stdout;
}

describe("health", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-health-"));
    await cluster.keel(["up", "--no-example"]);
    await loadHelloImage(cluster, folder);
  });
  afterEach(() => cluster.clear());
  after(async () => {
    await cluster.down();
    await rm(folder, { recursive: true, force: true });
  });

  test("HTTP: a unit is healthy when it answers, and is restarted when it does not", async () => {
    const rules = checked(
      "HealthHTTP=:8080/healthz\nHealthRetries=2\nHealthStartPeriod=60s\nOnPartition=keep",
    );
    await cluster.start({ "web.service": server("web", 8080) + rules + on("m1") });
    const starting = await becomes("web.service", "says why it is not healthy", ({ reason }) =>
      /404/.test(reason),
    );
    assert.equal(starting.active, "active");
    assert.equal(starting.state, "starting");
    assert.equal(starting.reason, "its check does not pass yet: GET :8080/healthz: 404");
    await sh("m1", "touch /run/web/healthz");
    const first = await healthy("web.service");
    assert.equal(first.invocation, starting.invocation, "it was not restarted within its start period");
    await sh("m1", "rm /run/web/healthz");
    const second = await becomes(
      "web.service",
      "was restarted",
      ({ invocation }) => invocation !== first.invocation,
    );
    assert.equal(second.failures?.count, 1);
    await sh("m1", "touch /run/web/healthz");
    const third = await healthy("web.service");
    // The daemon is not the work: its restart starts nothing, and forgets nothing.
    await sh("m1", "systemctl restart keeld.service");
    await becomes(
      "web.service",
      "is told of again",
      ({ failures }) => failures?.last === third.failures?.last,
    );
    assert.equal((await healthy("web.service")).invocation, third.invocation);
  });

  test("TCP: not before it listens", async () => {
    const listens = "[Service]\nExecStart=/bin/sh -c 'sleep 3; exec busybox httpd -f -p 8081 -h /run'\n";
    await cluster.start({ "tcp.service": listens + checked("HealthTCP=:8081") + on("m2") });
    const starting = await becomes(
      "tcp.service",
      "is refused",
      ({ reason }) => reason !== "" && /TCP/.test(reason),
    );
    assert.equal(starting.reason, "its check does not pass yet: TCP :8081: connection refused");
    assert.equal((await healthy("tcp.service")).invocation, starting.invocation);
  });

  test("a command: on the machine for a service, in the container for a container; and nothing of it is left", async () => {
    const inside = "HealthCmd=test -x /bin/hello && test $$ -gt 1";
    await cluster.start({
      "plain.service": sleeper + checked("HealthCmd=test -d /run/systemd/system") + on("m3"),
      "box.container": `[Container]\nImage=localhost/hello:latest\nStopTimeout=1\n${checked(inside)}${on("m3")}`,
      "slow.service":
        sleeper +
        checked("HealthCmd=sleep 876543 & sleep 876543\nHealthOnFailure=none\nHealthRetries=1") +
        on("m3"),
      "sluggish.container": `[Container]\nImage=localhost/hello:latest\nStopTimeout=1\n${checked("HealthCmd=sleep 765432\nHealthOnFailure=none\nHealthRetries=1")}${on("m3")}`,
    });
    await healthy("plain.service");
    await healthy("box.container");
    for (const [name, seconds] of [
      ["slow.service", "876543"],
      ["sluggish.container", "765432"],
    ] as const) {
      const ill = await becomes(name, "is unhealthy", ({ state }) => state === "unhealthy");
      assert.match(ill.reason, new RegExp(`^sleep ${seconds}.*: not done within 1 s \\(1 of 1\\)$`));
      await cluster.destroy([name]);
      await cluster.until(`${name} gone`, ({ instances }) => instances.every((one) => one.name !== name));
      assert.equal(
        await sh("m3", `grep -las ${seconds.slice(0, 5)}[${seconds.slice(5)}] /proc/[0-9]*/cmdline; true`),
        "",
      );
    }
  });

  test("a crash loop is backed off, and shown with its count everywhere", async () => {
    const crashes =
      "[Service]\nExecStart=/bin/sh -c 'echo going down; exit 3'\nRestart=always\nRestartSec=100ms\n";
    await cluster.start({ "loop.service": crashes + on("m2") });
    const loop = await becomes(
      "loop.service",
      "is given up by systemd",
      ({ state, failures, reason }) =>
        state === "failed" && failures?.nextTry !== undefined && reason.endsWith("going down"),
    );
    assert.match(loop.reason, /^crash loop: failed \d+ times in \d+ s: exit status 3: going down$/);
    assert.ok((loop.failures?.count ?? 0) >= 5, `${loop.failures?.count}`);
    assert.match(
      (await cluster.keel(["list-units"])).stdout,
      /crash loop: failed \d+ times in .*; next try in \d+ s/,
    );
    assert.match(await why("loop.service"), /m2 +has it: failed \(failed\), crash loop: failed \d+ times/);
    const before = loop.failures?.count ?? 0;
    const again = await becomes(
      "loop.service",
      "is tried again",
      ({ failures }) => (failures?.count ?? 0) > before,
    );
    assert.equal(again.machineName, "m2");
  });

  test("what fails on some machines only ends up where it does not", async () => {
    for (const machine of ["m1", "m3"]) await sh(machine, "touch /run/broken");
    const picky =
      "[Service]\nExecStart=/bin/sh -c 'test ! -e /run/broken && exec sleep infinity'\nRestart=on-failure\nRestartSec=100ms\n";
    await cluster.start({ "picky.service": picky });
    const there = await becomes(
      "picky.service",
      "runs on m2",
      ({ machineName, state }) => machineName === "m2" && state === "healthy",
    );
    assert.equal(there.reason, "");
    for (const machine of ["m1", "m3"]) await sh(machine, "rm /run/broken");
  });

  test("dependencies on another machine: health is the gate, and only at the start", async () => {
    const db =
      sleeper +
      checked(
        "HealthCmd=test -e /run/db-ready\nHealthOnFailure=none\nHealthRetries=1\nHealthStartPeriod=60s",
      ) +
      on("m1");
    const web = `${sleeper}[X-Keelson]\nRequiresUnit=db.service\n${on("m2")}`;
    await cluster.start({ "web.service": web, "db.service": db });
    const waiting = await becomes(
      "web.service",
      "waits",
      ({ state, reason }) => state === "waiting" && /does not pass yet/.test(reason),
    );
    assert.match(
      waiting.reason,
      /^waits for db\.service to be healthy \(it is starting on m1: its check does not pass yet/,
    );
    assert.match(await why("web.service"), /on no machine: waits for db\.service to be healthy/);
    await sh("m1", "touch /run/db-ready");
    const running = await healthy("web.service");
    assert.equal(running.machineName, "m2");
    await sh("m1", "rm /run/db-ready");
    await becomes("db.service", "is unhealthy", ({ state }) => state === "unhealthy");
    assert.equal((await healthy("web.service")).invocation, running.invocation, "what runs is left alone");
    const { stdout } = await cluster.keel(["stop", "db.service", "--dry-run"]);
    assert.match(stdout, /also stops web\.service: db\.service, which it requires, is not wanted any more/);
    await cluster.keel(["stop", "db.service", "--yes"]);
    const stopped = await becomes("web.service", "was stopped along", ({ machine }) => machine === null);
    assert.equal(stopped.reason, "requires db.service, which nobody has started");
    assert.equal(await sh("m2", "systemctl is-active web.service; true"), "inactive");
    await sh("m1", "touch /run/db-ready");
    await cluster.keel(["start", "db.service"]);
    assert.notEqual((await healthy("web.service")).invocation, running.invocation);
  });

  test("a lost machine: what moves together starts in its order, by podman’s own check too", async () => {
    const check = "HealthCmd=test -e /dev/shm/ready\nHealthInterval=1s\n";
    const db = `[Container]\nImage=localhost/hello:latest\nStopTimeout=1\n${check}`;
    const web = `${sleeper}[X-Fleet]\nMachineOf=db.container\n[X-Keelson]\nRequiresUnit=db.container\n`;
    const ready = async (): Promise<void> => {
      await becomes(
        "db.container",
        "is starting",
        ({ active, health }) => active === "active" && health === "starting",
      );
      const waiting = await becomes("web.service", "waits", ({ reason }) =>
        /(^|is lost; )waits for db\.container/.test(reason),
      );
      assert.notEqual(waiting.state, "healthy");
      await cluster.keel(["exec", "db.container", "--", "sh", "-c", "echo > /dev/shm/ready"]);
    };
    await cluster.start({ "db.container": db, "web.service": web });
    await ready();
    const first = await healthy("web.service");
    await cluster.keel(["machine", "kill", first.machineName ?? ""]);
    await becomes("db.container", "has moved", ({ machine }) => machine !== first.machine);
    await ready();
    const second = await healthy("web.service");
    assert.notEqual(second.machine, first.machine);
    assert.equal((await healthy("db.container")).machine, second.machine);
    await cluster.keel(["machine", "start", first.machineName ?? ""]);
  });

  test("nobody waits in silence: a circle and an unknown unit are named at once", async () => {
    const after = (unit: string): string => `${sleeper}[X-Keelson]\nAfterUnit=${unit}\n`;
    const files = {
      "a.service": after("b.service"),
      "b.service": after("a.service"),
      "c.service": after("nobody.service"),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const { stderr } = await cluster.keel(
      ["start", ...Object.keys(files).map((name) => join(folder, name))],
      { expect: 1 },
    );
    assert.match(stderr, /dependencies go in a circle \(a\.service → b\.service → a\.service\)/);
    assert.match(stderr, /waits for nobody\.service, which the cluster does not have/);
  });
});
