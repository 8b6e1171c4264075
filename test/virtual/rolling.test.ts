// Three virtual machines with the real image take a release one after the other, and the application on them never
// loses its last healthy instance.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { SnapshotView } from "../../packages/keelson/src/api/wire/snapshot.ts";
import type { SystemView } from "../../packages/keelson/src/api/wire/system-update.ts";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import { Cluster } from "../support/cluster.ts";
import { serveFolder } from "../support/folder-server.ts";
import type { FolderServer } from "../support/folder-server.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Watch } from "../support/watch.ts";
import { testImage, writeTestRelease } from "../os/support/releases.ts";

const old = "0.1.0";
const fresh = "0.2.0";
const names = ["m1", "m2", "m3"];
const cluster = new Cluster(`t${process.pid}-rolling`);
const application = "[Service]\nExecStart=/usr/bin/sleep infinity\n\n[X-Keelson]\nOnPartition=keep\n";

const everywhere = "[Service]\nExecStart=/usr/bin/sleep infinity\n\n[X-Fleet]\nGlobal=true\n";

/** Looks at the application, and notes which machines were drained until they were empty, before they restarted. */
class Application {
  readonly emptied = new Set<string>();
  readonly #since: ReadonlyMap<string, number>;

  constructor({ machines }: SnapshotView) {
    this.#since = new Map(machines.map(({ name, since }) => [name, since]));
  }

  /** Instances that are healthy, as the cluster knows them. */
  async healthy(): Promise<number> {
    const { instances, machines } = await cluster.snapshot();
    for (const { name, drain, since, state } of machines) {
      const isEmpty = !instances.some(({ machineName }) => machineName === name);
      if (drain !== undefined && isEmpty && state === "up" && since === this.#since.get(name))
        this.emptied.add(name);
    }
    return instances.filter(({ unit, state }) => unit === "app@.service" && state === "healthy").length;
  }
}

const skip = whyNoMachines();

describe("a rolling update of virtual machines", { skip }, () => {
  let folder = "";
  let server: FolderServer | undefined;

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), "keelson-rolling-"));
      const image = await testImage(old);
      await writeTestRelease(await testImage(fresh), folder);
      const kind = ["--provider", "qemu", "--image", image.disk];
      await cluster.keel(["up", "--no-example", "--machines", "3", ...kind], { timeoutMs: 590_000 });
      server = await serveFolder(folder, await new LocalCluster(cluster.name).hostAddress());
      await cluster.start({ "app@.service": application }, { replicas: 2 });
      await cluster.until("two healthy instances", ({ instances }) => {
        return instances.filter(({ state }) => state === "healthy").length === 2;
      });
    },
    { timeout: 900_000 },
  );
  after(
    async () => {
      await server?.[Symbol.asyncDispose]();
      await cluster.down();
      await rm(folder, { recursive: true, force: true });
    },
    { timeout: 60_000 },
  );

  test("takes every machine to the new version under the application", { timeout: 900_000 }, async (t) => {
    const app = new Application(await cluster.snapshot());
    await using watch = await Watch.begin(cluster, () => app.healthy());
    const args = ["os", "update", "--all", "--from", server?.url ?? "", "--to", fresh, "--wait"];
    await cluster.keel(args, { timeoutMs: 880_000 });
    await watch.atLeast(t, 1, names);
    assert.deepEqual(app.emptied, new Set(names), "each was empty before it restarted");
    const { machines } = (await cluster.api("GET", "/v1/system")).body as SystemView;
    assert.deepEqual(
      machines.map(({ name, up, system }) => [name, up, system?.version, system?.slot, system?.onTrial]),
      names.map((name) => [name, true, fresh, "b", false]),
    );
    const { machines: seen } = await cluster.snapshot();
    assert.ok(seen.every(({ cordoned, drain }) => cordoned === undefined && drain === undefined));
    await cluster.start({ "everywhere.service": everywhere });
    await cluster.until("all of them are used again", ({ instances }) => {
      const there = instances.filter(
        ({ unit, state }) => unit === "everywhere.service" && state === "healthy",
      );
      return new Set(there.map(({ machineName }) => machineName)).size === names.length;
    });
  });
});
