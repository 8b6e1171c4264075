// The first ten minutes of a new user, as the README tells them, on real machines.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { InstanceView } from "../../packages/keelson/src/api/wire/instance.ts";
import type { MachineView } from "../../packages/keelson/src/api/wire/machine.ts";
import type { SnapshotView } from "../../packages/keelson/src/api/wire/snapshot.ts";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import { Cluster, keel } from "../support/cluster.ts";
import { noTraces, tracesOf, whyNoMachines } from "../support/machines.ts";
import { patiently } from "../support/patiently.ts";
import { greeting, page as pageAt } from "../support/served.ts";
import { withTimeToSpare } from "../support/time-to-spare.ts";

const cluster = new Cluster(`t${process.pid}-first`);
const skip = whyNoMachines();

const quadlet = `# hello, unchanged
[Container]
Image=localhost/hello:latest
PublishPort=8080

[Service]
Restart=always`;

interface UpDocument {
  readonly machines: readonly MachineView[];
  readonly instances: readonly InstanceView[];
  readonly dashboard: string;
  readonly made: readonly string[];
}

/** A command of the cluster with its JSON. */
async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse((await cluster.keel([...args, "-o", "json"])).stdout) as T;
}

/** The page at an address, as soon as it answers. */
const page = (address: string): Promise<string> => pageAt(`http://${address}/`);

/** Reads a journal until it tells of something. */
async function told(args: readonly string[], what: RegExp): Promise<void> {
  await patiently(async () => assert.match((await cluster.keel(["journal", ...args])).stdout, what), 250);
}

/** Where a unit's instances are reached, as soon as so many are known: a busy podman tells them late. */
function addressesOf(unit: string, count: number): Promise<string[]> {
  return patiently(async () => {
    const known = (await instancesOf(unit)).flatMap(({ addresses }) => addresses.slice(0, 1));
    assert.equal(known.length, count, `addresses of ${unit}`);
    return known;
  });
}

async function instancesOf(unit: string): Promise<readonly InstanceView[]> {
  return (await cluster.snapshot()).instances.filter((instance) => instance.unit === unit);
}

/** The machine with the most instances that does not lead, and what it has. */
function mostOf({ machines, leader, instances }: SnapshotView): { name: string; lost: string[] } {
  const others = machines.filter(({ name }) => name !== leader?.name);
  const all = others.map(({ name }) => ({
    name,
    lost: instances.filter(({ machineName }) => machineName === name).map((one) => one.name),
  }));
  return all.toSorted((a, b) => b.lost.length - a.lost.length)[0] ?? { name: "", lost: [] };
}

describe("the first ten minutes", { skip, timeout: 1_200_000 }, () => {
  let folder = "";
  let up: UpDocument;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-first-"));
    up = await json<UpDocument>("up");
  });
  after(async () => {
    await cluster.down();
    await rm(folder, { recursive: true });
  });

  test("up: three machines, the example on each, and the dashboard", async () => {
    assert.deepEqual(up.machines.map(({ name, state }) => `${name} ${state}`).toSorted(), [
      "m1 up",
      "m2 up",
      "m3 up",
    ]);
    const addresses = await addressesOf("hello@.container", 3);
    const pages = await Promise.all(addresses.map(page));
    const said = pages.map((text) => /hello from (m\d)/.exec(text)?.[1] ?? text);
    assert.deepEqual(said.toSorted(), ["m1", "m2", "m3"]);
    assert.equal((await fetch(up.dashboard)).status, 200);
  });

  test("a second up says that nothing was missing", async () => {
    const again = await cluster.keel(["up"]);
    assert.match(again.stdout, /runs already; nothing was missing/);
    assert.match(again.stdout, /curl http:\/\/10\./);
  });

  test("an own Quadlet file starts unchanged, and comes back byte for byte", async () => {
    const path = join(folder, "hello.container");
    await writeFile(path, quadlet);
    const started = await cluster.keel(["start", path]);
    assert.match(started.stdout, /^hello\.container +runs on m\d/);
    assert.match(started.stdout, /\nundo: (?:\.\/)?keel undo \w+ --cluster /);
    assert.equal((await cluster.keel(["cat", "hello.container"])).stdout, await readFile(path, "utf8"));
    const [address = ""] = await addressesOf("hello.container", 1);
    assert.match(await page(address), /hello from /);
  });

  test("run makes a unit of an image", async () => {
    const ran = await cluster.keel([
      "run",
      "localhost/hello:latest",
      "-n",
      "2",
      "-p",
      "8080",
      "--name",
      "web",
    ]);
    assert.match(ran.stdout, /web@1\.container +runs on m\d.*\nweb@2\.container +runs on m\d/);
  });

  test("restart proves itself by new invocations", async () => {
    const { restarted } = await json<{ restarted: { instance: string; before: string; after: string }[] }>(
      "restart",
      "web@",
    );
    assert.deepEqual(restarted.map(({ instance }) => instance).toSorted(), [
      "web@1.container",
      "web@2.container",
    ]);
    for (const { before: was, after: is } of restarted) {
      assert.match(`${was} ${is}`, /^[0-9a-f]{32} [0-9a-f]{32}$/);
      assert.notEqual(was, is);
    }
  });

  test("journal, status, ssh and exec reach the machines", async () => {
    for (const name of ["m1", "m2", "m3"])
      await told(["hello@", "-n", "50"], new RegExp(`serves on ${name}`));
    assert.match((await cluster.keel(["status", "web@1"])).stdout, /Active: active \(running\)/);
    await patiently(async () => {
      assert.equal((await cluster.keel(["ssh", "m2", "hostname"])).stdout, "m2\n");
    });
    const failed = await cluster.keel(["ssh", "m2", "sh", "-c", "exit 3"], { expect: 3 });
    assert.equal(failed.status, 3);
    assert.match((await cluster.keel(["exec", "hello@1", "--", "cat", "/etc/passwd"])).stdout, /^root:x:0/);
  });

  test("a plug is pulled: what ran there is healthy elsewhere within ten seconds", (t) =>
    withTimeToSpare(t, async () => {
      const { snapshot } = await cluster.until("a leader", ({ leader }) => leader?.name != null);
      const { name: victim, lost } = mostOf(snapshot);
      assert.ok(lost.length > 0);
      const killed = await keel(["machine", "kill", victim, "--watch", "--cluster", cluster.name]);
      const times = [...killed.stdout.matchAll(/^ *([\d.]+) s +\S+ is healthy on m/gm)].map((match) =>
        Number(match[1]),
      );
      await cluster.until("it is healthy elsewhere", ({ instances }) =>
        lost.every((lostName) =>
          instances.some(
            ({ name, state, machineName }) =>
              name === lostName && state === "healthy" && machineName !== victim,
          ),
        ),
      );
      const why = (await cluster.keel(["why", lost[0] ?? ""])).stdout;
      await cluster.keel(["machine", "start", victim]);
      await cluster.until("it is back", ({ machines }) => machines.every(({ state }) => state === "up"));
      assert.match(why, new RegExp(`^${lost[0]} is on m\\d: `));
      assert.match(why, new RegExp(`\\n  ${victim}  no: does not report`));
      assert.equal(times.length, lost.length, killed.stdout + killed.stderr);
      assert.ok(Math.max(...times) <= 10, killed.stdout);
    }));

  test("destroying everything is refused, and nothing is destroyed", async () => {
    const refused = await cluster.keel(["destroy", "--all"], { expect: 4 });
    assert.match(refused.stderr, /3 units/);
    assert.match(refused.stderr, new RegExp(`--confirm ${cluster.name}`));
    assert.equal((await cluster.snapshot()).units.length, 3);
  });

  test("destroy, and undo brings it back as it was", async () => {
    const file = (await cluster.keel(["cat", "web@"])).stdout;
    await cluster.keel(["destroy", "web@"]);
    assert.deepEqual(await instancesOf("web@.container"), []);
    const undone = await cluster.keel(["undo"]);
    assert.match(undone.stdout, /web@1\.container +runs on m\d/);
    assert.equal((await cluster.keel(["cat", "web@"])).stdout, file);
  });

  test("the example units do what they say", async () => {
    const units = join(import.meta.dirname, "../../examples/units");
    for (const [service, trigger] of [
      ["inbox.service", "inbox.path"],
      ["relay.service", "relay.socket"],
      ["report.service", "report.timer"],
    ] as const) {
      await cluster.keel(["load", join(units, service)]);
      await cluster.keel(["start", join(units, trigger)]);
    }
    await cluster.keel(["start", join(units, "ledger.service"), join(units, "clerk.service")]);
    await cluster.keel(["start", join(units, "backup.service")]);
    await cluster.keel(["start", join(units, "backup.timer")]);
    await cluster.keel(["start", join(units, "shop@.container")]);
    await cluster.keel(["submit", join(units, "notes.volume"), join(units, "notes.network")]);
    for (const name of [
      "greet.service",
      "watcher.service",
      "notes.container",
      "docker.service",
      "run-scratch.mount",
    ]) {
      await cluster.keel(["start", join(units, name)]);
    }
    const { snapshot } = await cluster.until("every unit as desired", (now) =>
      now.units.every(({ state }) => ["healthy", "loaded", "inactive", "succeeded"].includes(state)),
    );
    const where = (name: string): string =>
      snapshot.instances.find((instance) => instance.name === name)?.machineName ?? "";
    await cluster.keel(["ssh", where("inbox.path"), "echo dropped > /run/inbox/file"]);
    const relay = snapshot.machines.find(({ name }) => name === where("relay.socket"))?.address ?? "";
    assert.match(await greeting(relay, 7022), /^SSH-2\.0-/);
    await told(["inbox"], /inbox\.service dropped/);
    await told(["report", "-n", "100"], /Mounted on/);
    await told(["greet"], /greetings from m\d/);
    const files = [
      "greet",
      "watcher",
      "notes.container",
      "docker",
      "inbox.path",
      "inbox.service",
      "report.timer",
    ];
    await cluster.keel(["destroy", ...files, "--max-impact", "100"]);
  });

  test("doctor finds nothing broken, overhead measures", async () => {
    const { healthy, checks } = await json<{ healthy: boolean; checks: unknown[] }>("doctor");
    assert.equal(healthy, true, JSON.stringify(checks));
    const figures = await json<{ mean: { keeld: { pssBytes: number } }; plain: { bootMs: number } }>(
      "overhead",
      "--for",
      "3s",
    );
    assert.ok(figures.mean.keeld.pssBytes > 1e6);
    assert.ok(figures.plain.bootMs > 0);
  });

  test("down leaves nothing", async () => {
    const down = await cluster.down();
    assert.match(
      down.stdout,
      new RegExp(`^The cluster ${cluster.name} is gone: machine m1, machine m2, machine m3`),
    );
    assert.deepEqual(await tracesOf(new LocalCluster(cluster.name)), noTraces);
    const again = await cluster.down();
    assert.equal(again.status, 0);
    assert.match(again.stdout, /^There is no cluster/);
  });
});
