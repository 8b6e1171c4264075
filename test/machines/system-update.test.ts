// Updates of the system of three real machines made of folders: a good release one after the other under an
// application, everything back again, and a bad release that ends at the first machine, which goes back by itself.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { SystemView } from "../../packages/keelson/src/api/wire/system-update.ts";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import { Cluster, processes, sleep } from "../support/cluster.ts";
import { serveFolder } from "../support/folder-server.ts";
import type { FolderServer } from "../support/folder-server.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Publisher } from "../support/tree-release.ts";
import { Watch } from "../support/watch.ts";
import { PATIENCE_MS } from "../support/patiently.ts";

const cluster = new Cluster(`t${process.pid}-system`);
const skip = whyNoMachines();
const names = ["m1", "m2", "m3"];
let folder = "";
let server: FolderServer | undefined;

/** Two of them; each says at once when it is gone. */
const application =
  "[Service]\nExecStart=@/usr/bin/sleep application:%n infinity\n\n[X-Keelson]\nOnPartition=keep\n";
const copies = (): number => processes(cluster.name, /^application:/).length;

async function system(): Promise<SystemView> {
  const { body } = await cluster.api("GET", "/v1/system");
  return body as SystemView;
}

const versions = async (): Promise<readonly (string | undefined)[]> =>
  (await system()).machines.map((one) => one.system?.version);

/** Nobody is left out of service. */
async function inService(): Promise<void> {
  const { machines } = await cluster.snapshot();
  assert.deepEqual(
    machines.map(({ name, state, cordoned, drain }) => [name, state, cordoned, drain]),
    names.map((name) => [name, "up", undefined, undefined]),
  );
}

describe("updates of the machines' system", { skip, timeout: 1_200_000 }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-releases-"));
    const publisher = new Publisher(folder);
    const first = await publisher.publish("1.0.0");
    await publisher.publish("1.1.0");
    await publisher.publish("1.2.0", async (files) => {
      await rm(join(files, "usr/lib/keelson/keeld.js"));
      await writeFile(join(files, "usr/lib/keelson/keeld.js"), "setTimeout(() => process.exit(3), 5000);\n");
      await mkdir(join(files, "etc/keelson"), { recursive: true });
      await writeFile(join(files, "etc/keelson/gate.conf"), "DEADLINE_SECONDS=30\n");
    });
    await cluster.keel(["up", "--no-example", "--release", first]);
    server = await serveFolder(folder, await new LocalCluster(cluster.name).hostAddress());
    await cluster.start({ "app@.service": application }, { replicas: 2 });
    await cluster.until("two copies", () => copies() === 2);
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster.down();
    await rm(folder, { recursive: true, force: true });
  });

  test("a good release goes from machine to machine, and the application is there all the time", async (t) => {
    const { stdout: plan } = await cluster.keel(update("1.1.0", "--dry-run"));
    assert.match(plan, /update the system of m\d and 2 more to 1.1.0/);
    await using watch = await Watch.begin(cluster, copies);
    await cluster.keel(update("1.1.0", "--wait"), { timeoutMs: 600_000 });
    await watch.atLeast(t, 1, names);
    assert.deepEqual(await versions(), ["1.1.0", "1.1.0", "1.1.0"]);
    for (const { system: slots, step } of (await system()).machines)
      assert.deepEqual(
        [slots?.slot, slots?.other, slots?.onTrial, step?.name],
        ["b", "1.0.0", false, "done"],
      );
    await inService();
    const { stdout } = await cluster.keel(["os", "status", "m2"]);
    assert.match(stdout, /^m2 +1\.1\.0 +b +1\.0\.0 +good/m);
  });

  test("all go back, one after the other", async (t) => {
    await using watch = await Watch.begin(cluster, copies);
    await cluster.keel(["os", "rollback", "--all", "--wait"], { timeoutMs: 600_000 });
    await watch.atLeast(t, 1, names);
    assert.deepEqual(await versions(), ["1.0.0", "1.0.0", "1.0.0"]);
    await inService();
  });

  test("a bad release ends at the first machine, which goes back by itself and says why", async (t) => {
    await using watch = await Watch.begin(cluster, copies);
    const { stderr } = await cluster.keel(update("1.2.0", "--wait"), { expect: 6, timeoutMs: 800_000 });
    await watch.atLeast(t, 1, names);
    assert.match(stderr, /KEEL-875/);
    const { update: last, machines } = await system();
    assert.equal(last?.state, "halted");
    assert.match(last.reason, /^m\d went back to 1\.0\.0: .*keeld/);
    assert.deepEqual(await versions(), ["1.0.0", "1.0.0", "1.0.0"]);
    const steps = machines.map(({ step }) => step?.name ?? "").toSorted((a, b) => a.localeCompare(b));
    assert.deepEqual(steps, ["failed", "staged", "staged"]);
    const failed = machines.filter((one) => (one.system?.failed.length ?? 0) > 0);
    assert.deepEqual(
      failed.map((one) => [one.step?.name, one.system?.failed[0]?.version]),
      [["failed", "1.2.0"]],
    );
    await inService();
    await cluster.keel(update("1.1.0"), { expect: 8 });
    await cluster.keel(["os", "abort"]);
    const armed = async (): Promise<number> =>
      (await system()).machines.filter((one) => one.system?.next != null).length;
    for (const end = performance.now() + PATIENCE_MS; (await armed()) > 0; await sleep(100))
      assert.ok(performance.now() < end, "what was written is not taken back");
    const again = await cluster.keel(update("1.2.0"), { expect: 8 });
    assert.match(again.stderr, /KEEL-874/);
  });
});

function update(to: string, ...more: readonly string[]): string[] {
  return ["os", "update", "--all", "--from", server?.url ?? "", "--to", to, ...more];
}
