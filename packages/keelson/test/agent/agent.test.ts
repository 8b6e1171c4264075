import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { imageCodec } from "../../src/model/image.ts";
import { keys } from "../../src/model/keys.ts";
import { scheduleCodec } from "../../src/model/schedule.ts";
import { orderRecord } from "../registry/records.ts";
import { plainFile, Stage } from "./stage.ts";

async function running(...units: string[]): Promise<Stage> {
  const stage = new Stage();
  await stage.startDaemon();
  for (const unit of units) stage.order(unit, plainFile);
  await stage.pass(1000);
  return stage;
}

describe("Agent", () => {
  test("starts what is ordered and reports systemd's words", async () => {
    await using stage = await running("a.service");
    assert.deepEqual(stage.host.running, ["a.service"]);
    const status = stage.status("a.service");
    assert.equal(status?.active, "active");
    assert.equal(status?.health, "healthy");
    assert.equal(status?.invocation.length, 32);
    assert.deepEqual(Object.keys(status?.steps ?? {}), [
      "received",
      "written",
      "started",
      "active",
      "healthy",
    ]);
  });

  test("one unit's trouble delays no other", async () => {
    await using stage = new Stage({
      behaviour: (unit) =>
        unit === "slow.service" ? { startMs: 600_000 } : { fails: unit === "bad.service" },
    });
    await stage.startDaemon();
    stage.order("bad.service", plainFile);
    stage.order("slow.service", plainFile);
    stage.order("broken.service", "[Service]\nno assignment\n");
    for (let at = 0; at < 20; at++) stage.order(`u${at}.service`, plainFile);
    await stage.pass(1000);
    assert.equal(stage.host.running.filter((name) => name.startsWith("u")).length, 20);
    assert.equal(stage.status("bad.service")?.health, "failed");
    assert.equal(stage.status("bad.service")?.reason, "exit status 1");
    assert.equal(stage.status("slow.service")?.health, "starting");
    assert.match(stage.status("broken.service")?.reason ?? "", /broken\.service:2:1/);
    await stage.pass(60_000);
    const starts = stage.host.actions.filter((action) => action === "start bad.service");
    assert.equal(starts.length, 3, "what failed is tried again after 10 s, after 20 s more, and so on");
  });

  test("a restart proves itself by a new invocation; a slow start gives way to a new order", async () => {
    await using stage = await running("a.service");
    const before = stage.status("a.service")?.invocation;
    stage.order("a.service", plainFile, { restarts: 1 });
    await stage.pass(500);
    assert.equal(stage.status("a.service")?.restarts, 1);
    assert.notEqual(stage.status("a.service")?.invocation, before);
    stage.order("a.service", plainFile, { restarts: 1, desired: "loaded" });
    await stage.pass(500);
    assert.equal(stage.status("a.service")?.active, "inactive");
    assert.deepEqual(stage.host.running, []);
  });

  test("what is no longer ordered is stopped, removed, and its status deleted", async () => {
    await using stage = await running("a.service", "b.service");
    stage.withdraw("a.service");
    await stage.pass(500);
    assert.deepEqual(stage.host.running, ["b.service"]);
    assert.equal(stage.status("a.service"), undefined);
    assert.equal((await stage.host.written()).size, 1);
  });

  test("an order that comes back while the unit is on its way out is carried out", async () => {
    await using stage = await running("a.service");
    stage.withdraw("a.service");
    await stage.pass(5);
    stage.order("a.service", plainFile);
    await stage.pass(1000);
    assert.deepEqual(stage.host.running, ["a.service"]);
    assert.equal(stage.status("a.service")?.active, "active");
  });

  test("a restarted daemon touches nothing that runs as ordered, and carries out what was missed", async () => {
    await using stage = await running("a.service", "b.service", "c.service");
    const invocation = stage.status("a.service")?.invocation;
    await stage.stopDaemon();
    assert.deepEqual(stage.host.running, ["a.service", "b.service", "c.service"]);
    stage.withdraw("b.service");
    stage.order("c.service", `${plainFile}# other\n`);
    const before = stage.host.actions.length;
    await stage.pass(1000);
    await stage.startDaemon();
    await stage.pass(1000);
    assert.deepEqual(stage.host.running, ["a.service", "c.service"]);
    assert.equal(stage.status("a.service")?.invocation, invocation);
    const done = stage.host.actions.slice(before).filter((action) => action.includes("a.service"));
    assert.deepEqual(done, []);
    assert.equal(stage.status("b.service"), undefined);
  });

  test("what has an order that cannot be read goes on, also under a restarted daemon", async () => {
    await using stage = await running("a.service", "b.service");
    const key = keys.schedule(stage.machine, "a.service");
    const put = (value: string): void => void stage.store.txn({ compare: [], write: [{ put: key, value }] });
    const before = stage.host.actions.length;
    put("{");
    await stage.pass(1000);
    await stage.stopDaemon();
    await stage.startDaemon();
    await stage.pass(1000);
    put(scheduleCodec.encode(orderRecord("b.service")));
    await stage.pass(1000);
    assert.deepEqual(stage.host.running, ["a.service", "b.service"]);
    assert.deepEqual(
      stage.host.actions.slice(before).filter((action) => action.includes("a.service")),
      [],
    );
    stage.withdraw("a.service");
    await stage.pass(1000);
    assert.deepEqual(stage.host.running, ["b.service"]);
  });

  test("what ended by itself is not started again by a restarted daemon", async () => {
    await using stage = await running("job.service");
    stage.host.end("job.service", "inactive");
    await stage.pass(100);
    await stage.stopDaemon();
    await stage.startDaemon();
    await stage.pass(10_000);
    assert.deepEqual(stage.host.running, []);
    assert.equal(stage.status("job.service")?.health, "stopped");
  });

  test("a container waits for the files that it refers to, and then starts at once", async () => {
    await using stage = new Stage();
    await stage.startDaemon();
    stage.order("web.container", "[Container]\nImage=localhost/hello\nNetwork=app.network\n");
    await stage.pass(3000);
    assert.match(stage.status("web.container")?.reason ?? "", /waits for app\.network/);
    stage.order("app.network", "[Network]\n", { companion: true });
    await stage.pass(300);
    assert.deepEqual(stage.host.running, ["web.container"]);
    assert.equal(stage.status("web.container")?.reason, "");
  });

  test("an image that the cluster has is fetched once, in the cluster's version", async () => {
    await using stage = new Stage();
    await stage.startDaemon();
    const image = {
      name: "localhost/hello:latest",
      archive: "a".repeat(64),
      imageId: "b".repeat(64),
      bytes: 10,
      holders: ["http://10.0.0.2:2390"],
      loaded: 1,
    };
    const put = { put: keys.image(image.name), value: imageCodec.encode(image) };
    stage.store.txn({ compare: [], write: [put] });
    stage.order("web.container", "[Container]\nImage=localhost/hello\n");
    await stage.pass(500);
    assert.ok(stage.host.actions.includes(`load ${"a".repeat(12)}`));
    assert.ok(stage.status("web.container")?.steps["image"]);
    stage.host.haveImage(image.name, image.imageId);
    stage.order("other.container", "[Container]\nImage=localhost/hello:latest\n");
    await stage.pass(500);
    assert.equal(stage.host.actions.filter((action) => action.startsWith("load")).length, 1);
  });

  test("idle, it writes nothing and asks podman for nothing", async () => {
    await using stage = await running(...Array.from({ length: 50 }, (_, at) => `u${at}.service`));
    await stage.pass(1000);
    const { writes } = stage.store;
    const { length } = stage.host.actions;
    await stage.pass(60_000);
    assert.equal(stage.store.writes, writes);
    assert.equal(stage.host.actions.length, length);
  });

  test("when the machine shuts down its units stop, and the lease is given up", async () => {
    const stage = new Stage();
    const agent = await stage.startDaemon();
    stage.order("a.service", plainFile);
    await stage.pass(1000);
    const leaving = agent.leave(5000);
    await stage.pass(1000);
    assert.equal(await leaving, true);
    assert.deepEqual(stage.host.running, []);
    assert.ok(!stage.store.values.some(({ key }) => key === keys.machine(stage.machine)));
  });
});
