// client, fleetctl, machines and tunnel of the original's list: the command and the HTTP API.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keel } from "../../support/cluster.ts";
import { machines, type Stage } from "./stage.ts";

interface FleetMachine {
  readonly id: string;
  readonly primaryIP: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export function clientChecks(stage: Stage): void {
  const { cluster } = stage;
  const listed = async (): Promise<readonly FleetMachine[]> => {
    const { status, body } = await cluster.api("GET", "/fleet/v1/machines");
    assert.equal(status, 200);
    return (body as { machines: FleetMachine[] }).machines;
  };
  const metadataOf = async (id: string): Promise<FleetMachine["metadata"]> =>
    (await listed()).find((machine) => machine.id === id)?.metadata;
  const patch = (operations: unknown): ReturnType<typeof cluster.api> =>
    cluster.api("PATCH", "/fleet/v1/machines", operations);

  test("FleetctlVersionFlag", async () => {
    assert.match((await keel(["--version"])).stdout, /^keel \d+\.\d+\.\d+/);
  });

  test("FleetctlVersionHelpOutput", async () => {
    const { status, stdout } = await keel(["version", "--help"]);
    assert.equal(status, 0);
    assert.match(stdout, /Usage: keel version/);
  });

  test("FleetctlHelpFlag", async () => {
    const [flag, command] = await Promise.all([keel(["--help"]), keel(["help"])]);
    assert.deepEqual([flag.status, command.status], [0, 0]);
    assert.equal(flag.stdout, command.stdout);
    for (const verb of ["start", "list-units", "submit", "destroy"])
      assert.ok(flag.stdout.includes(verb), verb);
  });

  test("MachinesList", async () => {
    const all = await listed();
    assert.equal(all.length, machines.length);
    for (const { id, primaryIP } of all) {
      assert.match(id, /^[0-9a-f]{32}$/);
      assert.match(primaryIP, /^\d+\.\d+\.\d+\.\d+$/);
    }
  });

  test("MachinesListBadNextPageToken", async () => {
    for (const token of ["EwBMLg==", "nonsense!", ""]) {
      const { status, body } = await cluster.api("GET", `/fleet/v1/machines?nextPageToken=${token}`);
      assert.equal(status, 400, token);
      assert.equal((body as { error: { code: number } }).error.code, 400);
    }
  });

  test("MachinesPatchAddModify", async () => {
    const id = await stage.machineId("m1");
    const path = `/${id}/metadata/foo`;
    assert.equal((await patch([{ op: "add", path, value: "bar" }])).status, 204);
    assert.equal((await metadataOf(id))?.["foo"], "bar");
    assert.equal((await patch([{ op: "replace", path, value: { value: "baz" } }])).status, 204);
    assert.equal((await metadataOf(id))?.["foo"], "baz");
  });

  test("MachinesPatchDelete", async () => {
    const id = await stage.machineId("m1");
    const path = `/${id}/metadata/foo`;
    await patch([{ op: "add", path, value: "bar" }]);
    assert.equal((await patch([{ op: "remove", path }])).status, 204);
    assert.equal((await metadataOf(id))?.["foo"], undefined);
    assert.equal((await metadataOf(id))?.["zone"], "a", "its other metadata are as they were");
  });

  test("MachinesPatchBad", async () => {
    const id = await stage.machineId("m1");
    const bad: readonly unknown[] = [
      [{ op: "noop", path: `/${id}/metadata/foo`, value: "bar" }],
      [{ op: "add", path: `/${id}/foo`, value: "bar" }],
      [{ op: "add", path: `/${id}/metadata/foo` }],
      { op: "add" },
    ];
    for (const operations of bad) {
      const { status, body } = await patch(operations);
      assert.equal(status, 400, JSON.stringify(operations));
      assert.ok((body as { error: { message: string } }).error.message.length > 0);
    }
  });
}
