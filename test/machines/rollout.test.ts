// New versions of units on three real machines: batch by batch under a probe, and back by themselves when they fail.
// What runs is counted from the host, whatever the cluster says of it.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { helloImage } from "../../examples/hello/image.ts";
import type { RolloutView, VersionView } from "../../packages/keelson/src/api/wire/rollout.ts";
import { Cluster, type KeelResult, processes, sleep } from "../support/cluster.ts";
import { loadHelloImage } from "../support/hello-image.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Watch } from "../support/watch.ts";
import { PATIENCE_MS } from "../support/patiently.ts";

const cluster = new Cluster(`t${process.pid}-rollout`);
const skip = whyNoMachines();
let folder = "";

/** Hands a file in and waits for the outcome. */
async function update(name: string, text: string, expect = 0): Promise<KeelResult> {
  const path = join(folder, name);
  await writeFile(path, text);
  return cluster.keel(["start", "--replace", "--timeout", "240s", path], { expect });
}

/** A service whose process carries its version in its name, as the host sees it. */
const service = (version: number, extra = ""): string =>
  `[Service]\nExecStart=@/usr/bin/sleep version-${version}:%n infinity\nTimeoutStopSec=2\n\n[X-Keelson]\nOnPartition=keep\n${extra}`;

/** How many instances of each version run now. */
function running(stem: string): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { version } of copies(stem)) counts.set(version, (counts.get(version) ?? 0) + 1);
  return counts;
}

function copies(stem: string): { readonly version: number }[] {
  return processes(cluster.name, new RegExp(`^version-\\d:${stem}`)).map(({ command }) => ({
    version: Number(command.charAt("version-".length)),
  }));
}

async function rollout(unit: string): Promise<RolloutView> {
  const { body } = await cluster.api("GET", "/v1/rollouts");
  const found = (body as { rollouts: RolloutView[] }).rollouts.find((one) => one.unit === unit);
  assert.ok(found, `${unit} has a rollout`);
  return found;
}

async function versions(unit: string): Promise<readonly VersionView[]> {
  const { body } = await cluster.api("GET", `/v1/units/${unit}/versions`);
  return (body as { versions: VersionView[] }).versions;
}

async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = PATIENCE_MS,
): Promise<void> {
  for (const end = performance.now() + ms; !(await condition()); await sleep(50)) {
    assert.ok(performance.now() < end, `not within ${ms} ms: ${what}`);
  }
}

describe("rollouts", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-rollout-"));
    await cluster.keel(["up", "--no-example"]);
    await loadHelloImage(cluster, folder);
  });
  afterEach(() => cluster.clear());
  after(async () => {
    await cluster.down();
    await rm(folder, { recursive: true, force: true });
  });

  test("six containers with health checks: forward under a probe, and back from one that is not healthy", async (t) => {
    const container = (version: number, check: string): string =>
      [
        "[Container]",
        `Image=${helloImage}`,
        `Environment=VERSION=${version}`,
        "PublishPort=8080",
        "StopTimeout=1",
        `HealthCmd=${check}`,
        "HealthInterval=2s",
        "HealthRetries=3",
        "",
        "[X-Keelson]",
        "Replicas=6",
        "UpdateHealthyFor=1s",
        "OnPartition=keep",
        "",
      ].join("\n");
    const well = "wget -q -O /dev/null http://127.0.0.1:8080/";
    await update("web@.container", container(1, well));
    const healthy = async (): Promise<number> =>
      (await cluster.snapshot()).instances.filter(({ state }) => state === "healthy").length;
    await cluster.until("six are healthy", ({ instances }) =>
      instances.every(({ state }) => state === "healthy"),
    );
    {
      await using watch = await Watch.begin(cluster, healthy);
      const { stderr } = await update("web@.container", container(2, well));
      assert.match(stderr, /rollout of web@\.container/);
      await watch.atLeast(t, 5);
    }
    const { stdout } = await cluster.keel(["exec", "web@6.container", "--", "sh", "-c", "echo $VERSION"]);
    assert.equal(stdout.trim(), "2");
    {
      await using watch = await Watch.begin(cluster, healthy);
      const { stderr } = await update("web@.container", container(3, "false"), 6);
      assert.match(
        stderr,
        /went back from version 3 to version 2: web@1\.container is unhealthy on m\d.*KEEL-544/s,
      );
      await watch.atLeast(t, 5);
    }
    await cluster.until("six are healthy again", ({ instances }) =>
      instances.every(({ state }) => state === "healthy"),
    );
    const list = await versions("web@.container");
    assert.deepEqual(
      list.map(({ number, current, instances }) => [number, current, instances]),
      [
        [3, false, 0],
        [2, true, 6],
        [1, false, 0],
      ],
    );
    assert.match(list[0]?.failed ?? "", /unhealthy/);
  });

  test("services: two at a time, paused, resumed, stopped, rolled back, compared", async (t) => {
    const unit = "app@.service";
    const rules = "Replicas=6\nMaxUnavailable=2\nUpdateHealthyFor=2s\n";
    await update(unit, service(1, rules));
    assert.deepEqual(running("app@"), new Map([[1, 6]]));
    await using watch = await Watch.begin(cluster, () => copies("app@").length);
    await writeFile(join(folder, unit), service(2, rules));
    const plan = await cluster.keel(["update", "--dry-run", join(folder, unit)]);
    assert.match(plan.stdout, /6 instances in 3 batches of 2, each healthy for 2 s before the next/);
    assert.deepEqual(running("app@"), new Map([[1, 6]]), "a plan changes nothing");
    await cluster.keel(["update", "--no-wait", join(folder, unit)]);
    const updated = await midway(unit, 2, "pause");
    assert.equal((await rollout(unit)).state, "paused");
    assert.equal((await rollout(unit)).updated, updated);
    await cluster.keel(["rollout", "resume", "app@"]);
    assert.deepEqual(running("app@"), new Map([[2, 6]]));

    await cluster.operate({ kind: "rollback", unit: "app@" });
    await midway(unit, 1, "abort");
    const table = await cluster.keel(["versions", "app@"]);
    assert.match(table.stdout, /2 .*current\n.*1 .*rolling/s);
    await cluster.keel(["rollback", "app@", "--to", "2"]);
    assert.deepEqual(running("app@"), new Map([[2, 6]]));
    const { stdout } = await cluster.keel(["diff", "app@", "1", "2"]);
    assert.match(stdout, /^-ExecStart=.*version-1.*\n\+ExecStart=.*version-2/m);
    const first = await cluster.keel(["cat", "app@", "--version", "1"]);
    assert.equal(first.stdout, service(1, rules));
    await watch.atLeast(t, 4);
  });

  /** Stops a rollout between its batches of two; how many have the version that it brings, then and later. */
  async function midway(unit: string, version: number, action: "pause" | "abort"): Promise<number> {
    const stem = unit.slice(0, -".service".length);
    const count = (): number => running(stem).get(version) ?? 0;
    await until("two have it", () => count() >= 2);
    await cluster.operate({ kind: "rollout", unit: stem, action });
    // A batch that had begun in that very moment is carried on with.
    await until("all six run, in whole batches", () => copies(stem).length === 6 && count() % 2 === 0);
    const updated = count();
    assert.ok(updated < 6, `${action} came in time`);
    await sleep(3500);
    assert.deepEqual([count(), copies(stem).length], [updated, 6], `nothing goes on after ${action}`);
    return updated;
  }

  test("services that fail: back to what ran, with the reason; or a pause that waits for a person", async (t) => {
    const broken = (extra = ""): string =>
      `[Service]\nExecStart=/bin/sh -c 'echo no such table >&2; exit 3'\n\n[X-Keelson]\nReplicas=3\n${extra}`;
    await update("db@.service", service(1, "Replicas=3\n"));
    await using watch = await Watch.begin(cluster, () => copies("db@").length);
    const { stderr } = await update("db@.service", broken(), 6);
    assert.match(stderr, /went back from version 2 to version 1: db@1\.service failed on m\d: exit status 3/);
    assert.deepEqual(running("db@"), new Map([[1, 3]]));
    const paused = await update("db@.service", broken("UpdateOnFailure=pause\n"), 6);
    assert.match(
      paused.stderr,
      /paused with 1 of 3 updated: db@1\.service failed on m\d: exit status 3.*KEEL-545/s,
    );
    await cluster.keel(["rollback", "db@"]);
    assert.deepEqual(running("db@"), new Map([[1, 3]]));
    await watch.atLeast(t, 2);
  });

  test("a single service with MaxSurge=1 runs at every moment; without it for all but one", async (t) => {
    await update("one.service", service(1, "MaxSurge=1\n"));
    {
      await using watch = await Watch.begin(cluster, () => copies("one").length);
      await update("one.service", service(2, "MaxSurge=1\n"));
      await watch.atLeast(t, 1);
    }
    await until("the old one is gone", () => copies("one").length === 1);
    assert.deepEqual(running("one"), new Map([[2, 1]]));
    await update("one.service", service(3));
    assert.deepEqual(running("one"), new Map([[3, 1]]));
  });

  test("a global unit: machine by machine, and back from all", async (t) => {
    const global = (version: number): string => `${service(version)}\n[X-Fleet]\nGlobal=true\n`;
    await update("log.service", global(1));
    await until("it runs on three", () => running("log").get(1) === 3);
    {
      await using watch = await Watch.begin(cluster, () => copies("log").length);
      await update("log.service", global(2));
      assert.deepEqual(running("log"), new Map([[2, 3]]));
      await watch.atLeast(t, 2);
    }
    const { stderr } = await update(
      "log.service",
      "[Service]\nExecStart=/bin/false\n\n[X-Fleet]\nGlobal=true\n",
      6,
    );
    assert.match(stderr, /log\.service failed on m\d/);
    assert.deepEqual(running("log"), new Map([[2, 3]]));
  });
});
