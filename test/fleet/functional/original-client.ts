// The original's requests, in its order, against real machines: what it waits for comes, and what it asked for is so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fleetctl } from "../fleetctl.ts";
import type { FleetctlOptions } from "../fleetctl.ts";
import { sleeper } from "./stage.ts";
import type { Stage } from "./stage.ts";

export function originalClient(stage: Stage): void {
  const client = (options: Partial<FleetctlOptions> = {}): Fleetctl =>
    new Fleetctl({ endpoint: { socketPath: stage.cluster.socket }, patienceMs: 60_000, ...options });
  const write = async (name: string, text: string): Promise<string> => {
    const [path = ""] = await stage.files({ [name]: text });
    return path;
  };
  /** systemd's own word on the machine that the API names. */
  const invocation = async (name: string): Promise<string> => {
    const { machineID } = (await client().unit(name)) ?? {};
    const { machines } = await stage.cluster.snapshot();
    const machine = machines.find(({ id }) => id === machineID)?.name ?? "";
    return (await stage.inside(machine, `systemctl show --value -p InvocationID ${name}`)).trim();
  };

  test("start, restart, stop, unload, destroy: systemd has done each of them", async () => {
    const fleetctl = client();
    await fleetctl.start(await write("life.service", sleeper()));
    const first = await invocation("life.service");
    assert.match(first, /^[0-9a-f]{32}$/);
    await fleetctl.restart("life");
    assert.notEqual(await invocation("life.service"), first, "restart has restarted");
    await fleetctl.stop("life");
    const [stopped] = (await fleetctl.listUnits()).filter(({ name }) => name === "life.service");
    assert.equal(stopped?.systemdActiveState, "inactive");
    await fleetctl.unload("life");
    assert.equal((await fleetctl.unit("life.service"))?.machineID, undefined);
    await fleetctl.destroy("life");
    assert.equal(await fleetctl.unit("life.service"), undefined);
  });

  test("start --replace runs the other file", async () => {
    const file = await write("changing.service", sleeper());
    await client().start(file);
    await write("changing.service", sleeper("", "Environment=SECOND=yes\n"));
    const fleetctl = client({ replace: true });
    await fleetctl.start(file);
    const { machineID } = (await fleetctl.unit("changing.service")) ?? {};
    const { machines } = await stage.cluster.snapshot();
    const machine = machines.find(({ id }) => id === machineID)?.name ?? "";
    const environment = await stage.inside(machine, "systemctl show --value -p Environment changing.service");
    assert.equal(environment.trim(), "SECOND=yes");
  });

  test("instances keep apart, a global unit is everywhere, one that ends has ended well", async () => {
    const fleetctl = client();
    await fleetctl.submit(await write("apart@.service", sleeper("Conflicts=apart@*")));
    await fleetctl.start("apart@1.service", "apart@2.service", "apart@3.service");
    const homes = (await fleetctl.listUnitFiles())
      .filter(({ name }) => name.startsWith("apart@") && !name.startsWith("apart@."))
      .map(({ machineID }) => machineID);
    assert.equal(new Set(homes).size, 3);
    await fleetctl.start(await write("everywhere.service", sleeper("Global=true")));
    await stage.cluster.until("everywhere", ({ instances }) => {
      const healthy = instances.filter(
        ({ name, state }) => name === "everywhere.service" && state === "healthy",
      );
      return healthy.length === 4;
    });
    await fleetctl.start(
      await write("once.service", "[Service]\nType=oneshot\nExecStart=/bin/echo done once\n"),
    );
    const { text } = await fleetctl.raw("GET", "state/once.service");
    assert.match(text, /"systemdSubState":"exited"/);
  });

  test("on a machine the original finds its socket, and its tunnel the other end", async () => {
    const list = "fleetctl --endpoint unix:///var/run/fleet.sock list-machines --no-legend";
    assert.equal((await stage.inside("m2", list)).trim().split("\n").length, 4);
    assert.match(await stage.inside("m2", "stat -c %a:%U /run/fleet.sock"), /^600:root/);
    const request = "GET /fleet/v1/units HTTP/1.1\\r\\nHost: domain-sock\\r\\nConnection: close\\r\\n\\r\\n";
    const forwarded = await stage.inside(
      "m3",
      `{ printf '${request}'; sleep 1; } | fleetctl fd-forward /var/run/fleet.sock`,
    );
    assert.match(forwarded, /^HTTP\/1\.1 200 OK/);
  });

  test("metadata that is patched moves what waits for it", async () => {
    const fleetctl = client({ patienceMs: 1000 });
    const file = await write("where.service", sleeper("MachineMetadata=room=cellar"));
    await assert.rejects(fleetctl.start(file), /waits for where\.service/);
    const id = await stage.machineId("m2");
    const path = `/${id}/metadata/room`;
    await fleetctl.raw("PATCH", "machines", [{ op: "add", path, value: { value: "cellar" } }]);
    const { "where.service": home } = await stage.untilActive("where.service");
    assert.equal(home, "m2");
    await fleetctl.raw("PATCH", "machines", [{ op: "remove", path }]);
  });
}
