// What the original's fleetctl sends, in its order, to a real API over a real store: nothing hangs, nothing crashes.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Fleetctl, FleetctlError } from "./fleetctl.ts";
import type { FleetctlOptions } from "./fleetctl.ts";
import { startSmallCluster } from "./small-cluster.ts";
import type { SmallCluster } from "./small-cluster.ts";
import { patiently } from "../support/patiently.ts";

const service = (command: string, more = ""): string =>
  `[Unit]\nDescription=a test\n\n[Service]\nExecStart=${command}\n${more}`;

describe("fleetctl", () => {
  let cluster: SmallCluster;
  let files = "";

  before(async () => {
    cluster = await startSmallCluster();
    files = join(cluster.folder, "files");
    await mkdir(files);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const client = (options: Partial<FleetctlOptions> = {}): Fleetctl =>
    new Fleetctl({ endpoint: { socketPath: cluster.api.fleet.socket ?? "" }, ...options });
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(files, name), text);
    return join(files, name);
  };
  /** Starts and stops of the unit on all machines. */
  const actions = (unit: string): string[] =>
    cluster.hosts.flatMap((host) => host.actions.filter((action) => action.endsWith(` ${unit}`)));
  const running = (unit: string): number =>
    cluster.hosts.filter((host) => host.running.includes(unit)).length;

  test("list-machines", async () => {
    const machines = await client().listMachines();
    assert.deepEqual(
      machines.map(({ primaryIP, metadata }) => [primaryIP, metadata?.["zone"]]),
      [
        ["10.0.0.1", "a"],
        ["10.0.0.2", "b"],
        ["10.0.0.3", "c"],
      ],
    );
  });

  test("submit, load, start, stop, unload, destroy: each waits for its state and gets it", async () => {
    const file = await write("life.service", service("/bin/sleep 1d"));
    const fleetctl = client();
    await fleetctl.submit(file);
    assert.equal(await fleetctl.cat("life"), service("/bin/sleep 1d"));
    await fleetctl.load(file);
    assert.equal((await fleetctl.unit("life.service"))?.currentState, "loaded");
    assert.equal(running("life.service"), 0);
    await fleetctl.start(file);
    assert.equal(running("life.service"), 1);
    const [state] = (await fleetctl.listUnits()).filter(({ name }) => name === "life.service");
    assert.deepEqual([state?.systemdActiveState, state?.systemdLoadState], ["active", "loaded"]);
    assert.match(await fleetctl.addressOf("life"), /^10\.0\.0\.[123]$/);
    await fleetctl.stop("life");
    assert.equal(running("life.service"), 0);
    const [listed] = (await fleetctl.listUnitFiles()).filter(({ name }) => name === "life.service");
    assert.deepEqual([listed?.desiredState, listed?.currentState], ["loaded", "loaded"]);
    await fleetctl.unload("life");
    assert.equal((await fleetctl.unit("life.service"))?.currentState, "inactive");
    await fleetctl.destroy("life");
    assert.equal(await fleetctl.unit("life.service"), undefined);
  });

  test("start sends what the original sends", async () => {
    const file = await write("order.service", service("/bin/sleep 1d"));
    const fleetctl = client();
    await fleetctl.start(file);
    const polls = fleetctl.sent.filter((line, index) => line !== fleetctl.sent[index - 1]);
    assert.deepEqual(polls, [
      "GET units/order.service",
      "PUT units/order.service",
      "GET units/order.service",
      "PUT units/order.service launched",
      "GET units/order.service",
      "GET state/order.service",
    ]);
  });

  test("restart comes back, and has restarted", async () => {
    const file = await write("again.service", service("/bin/sleep 1d"));
    const fleetctl = client();
    await fleetctl.start(file);
    const invocation = async (): Promise<string> => {
      const states = await Promise.all(
        cluster.hosts.map(async (host) => host.states(["again.service"]).get("again.service")),
      );
      return states.map((state) => state?.invocation ?? "").join("");
    };
    const before = await invocation();
    await fleetctl.restart("again.service");
    assert.notEqual(await invocation(), before);
    assert.equal(running("again.service"), 1);
    await fleetctl.stop("again");
    await fleetctl.restart("again");
    assert.equal(running("again.service"), 1);
  });

  test("start --replace puts other content in the place of what runs", async () => {
    const file = await write("changing.service", service("/bin/sleep 1d"));
    await client().start(file);
    await write("changing.service", service("/bin/sleep 2d"));
    await client().start(file);
    assert.equal(await client().cat("changing"), service("/bin/sleep 1d"), "without --replace it stays");
    const fleetctl = client({ replace: true });
    await fleetctl.start(file);
    assert.equal(await fleetctl.cat("changing"), service("/bin/sleep 2d"));
    assert.equal(running("changing.service"), 1);
    assert.ok(actions("changing.service").includes("stop changing.service"));
  });

  test("a template’s instances are units of their own", async () => {
    const template = await write("web@.service", service("/bin/sleep %i"));
    const fleetctl = client();
    await fleetctl.submit(template);
    await fleetctl.start("web@1.service", "web@2.service");
    assert.equal(await fleetctl.cat("web@2"), service("/bin/sleep %i"));
    assert.equal(running("web@1.service") + running("web@2.service"), 2);
    await assert.rejects(fleetctl.start("web@.service"), (error: FleetctlError) => error.status === 400);
    const beside = join(files, "beside@7.service");
    await write("beside@.service", service("/bin/sleep %i"));
    await fleetctl.submit(beside);
    assert.equal((await fleetctl.unit("beside@7.service"))?.currentState, "inactive");
  });

  test("global units run on every machine, and their states are three", async () => {
    const file = await write("everywhere.service", service("/bin/sleep 1d", "\n[X-Fleet]\nGlobal=true\n"));
    const fleetctl = client();
    await fleetctl.start(file);
    const states = async (): Promise<number> =>
      (await fleetctl.listUnits()).filter(
        ({ name, systemdActiveState }) => name === "everywhere.service" && systemdActiveState === "active",
      ).length;
    await patiently(async () => assert.equal(await states(), 3), 50);
    await fleetctl.stop("everywhere");
    await fleetctl.destroy("everywhere");
  });

  test("a unit that fails is launched and failed, and start says so instead of falling over", async () => {
    const file = await write("broken.service", service("/bin/false"));
    const fleetctl = client({ patienceMs: 3000 });
    await assert.rejects(fleetctl.start(file), /broken\.service to be active/);
    const unit = await fleetctl.unit("broken.service");
    assert.deepEqual([unit?.desiredState, unit?.currentState], ["launched", "launched"]);
    const state = (await fleetctl.listUnits()).find(({ name }) => name === "broken.service");
    assert.equal(state?.systemdActiveState, "failed");
  });

  test("a unit that fits nowhere waits, and is known", async () => {
    const file = await write("lonely.service", service("/bin/true", "\n[X-Fleet]\nMachineMetadata=zone=z\n"));
    const fleetctl = client({ patienceMs: 800 });
    await assert.rejects(fleetctl.start(file), /waits for lonely/);
    const unit = await fleetctl.unit("lonely.service");
    assert.deepEqual([unit?.currentState, unit?.machineID], ["inactive", undefined]);
    const machine = (await fleetctl.listMachines())[0]?.id ?? "";
    const patch = [{ op: "add", path: `/${machine}/metadata/zone`, value: "z" }];
    assert.equal((await fleetctl.raw("PATCH", "machines", patch)).status, 204);
    const isThere = "metadata that was set counts";
    await patiently(async () => {
      assert.equal((await fleetctl.unit("lonely.service"))?.machineID, machine, isThere);
    }, 50);
    await fleetctl.raw("PATCH", "machines", [{ op: "add", path: `/${machine}/metadata/zone`, value: "a" }]);
  });

  test("every command works over TCP too, where the operator opened it", async () => {
    const port = cluster.api.fleet.tcp[0]?.port ?? 0;
    const fleetctl = client({ endpoint: { host: "127.0.0.1", port } });
    const file = await write("tcp.service", service("/bin/sleep 1d"));
    await fleetctl.start(file);
    await fleetctl.restart("tcp");
    await fleetctl.destroy("tcp");
    assert.equal(await fleetctl.unit("tcp.service"), undefined);
  });

  test("what Keelson refuses ends the command with a sentence", async () => {
    const file = await write("wrong.service", service("/bin/true", "\n[X-Fleet]\nMemory=2G\n"));
    await assert.rejects(client().start(file), (error: FleetctlError) => {
      assert.equal(error.status, 400);
      return /KEEL-102: .*Memory/.test(error.message);
    });
  });
});
