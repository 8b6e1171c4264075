// client, fleetctl, machines and tunnel of the original's list: the command and the HTTP API.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { LocalCluster } from "../../../packages/keelson/src/local/cluster.ts";
import { keel } from "../../support/cluster.ts";
import { spawnBound } from "../../../packages/etcd/test/bound-process.ts";
import { homesOf, machines, sleeper, type Stage } from "./stage.ts";
import { patiently } from "../../support/patiently.ts";

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

  test("FleetctlWithEnv", async () => {
    const env = { FLEETCTL_ENDPOINT: `unix://${cluster.socket}` };
    const { status, stdout } = await keel(["list-machines", "--no-legend"], { env });
    assert.equal(status, 0);
    assert.equal(stdout.trim().split("\n").length, machines.length);
    const nobody = await keel(["list-machines"], { env: { FLEETCTL_ENDPOINT: "unix:///nonexistent.sock" } });
    assert.notEqual(nobody.status, 0);
  });

  describe("over ssh", () => sshChecks(stage));
}

/** Through a machine, with the cluster's key in an agent, as people have theirs. */
function sshChecks(stage: Stage): void {
  const { cluster } = stage;
  const local = new LocalCluster(cluster.name);
  const env: Record<string, string> = {};
  let agent: ReturnType<typeof spawnBound> | undefined;
  let host = "";

  before(async () => {
    env["SSH_AUTH_SOCK"] = stage.path("agent.sock");
    agent = spawnBound(["ssh-agent", "-D", "-a", env["SSH_AUTH_SOCK"]], { stdio: "ignore" });
    const add = (): number | null =>
      spawnSync("ssh-add", ["-q", local.sshIdentity], { env: { ...process.env, ...env } }).status;
    await patiently(() => assert.equal(add(), 0, "the agent takes the key"));
    const { machines: all } = await cluster.snapshot();
    host = all.find(({ name }) => name === "m1")?.address ?? "";
  });
  after(() => agent?.kill("SIGTERM"));

  const through = (knownHosts: string, ...args: string[]): ReturnType<typeof keel> =>
    keel(["--tunnel", host, "--known-hosts-file", knownHosts, ...args], { env });

  /** What a person who has seen the machine before has in the file. */
  async function knownHosts(): Promise<string> {
    const { stdout } = spawnSync("ssh-keyscan", ["-T", "5", host], { encoding: "utf8" });
    assert.match(stdout, /ssh-/);
    await writeFile(stage.path("known_hosts"), stdout);
    return stage.path("known_hosts");
  }

  test("KnownHostsVerification", async () => {
    const known = await knownHosts();
    const first = await through(known, "list-machines", "--no-legend");
    assert.equal(first.status, 0, first.stderr);
    const other = (await readFile(`${local.sshIdentity}.pub`, "utf8")).split(" ").slice(0, 2).join(" ");
    await writeFile(known, `${host} ${other}\n`);
    const refused = await through(known, "list-machines", "--no-legend");
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /host key|identification/i);
    const careless = await through(known, "--strict-host-key-checking=false", "list-machines", "--no-legend");
    assert.equal(careless.status, 0, careless.stderr);
  });

  test("TunnelScheduleBatchUnits", async () => {
    const known = await knownHosts();
    const names = Array.from({ length: 8 }, (_, number) => `batch-${number}.service`);
    const paths = await stage.files(Object.fromEntries(names.map((name) => [name, sleeper()])));
    const started = await through(known, "start", ...paths);
    assert.equal(started.status, 0, started.stderr);
    const { snapshot } = await cluster.until("all run", (now) =>
      names.every((name) => homesOf(now)[name] !== undefined),
    );
    assert.equal(new Set(Object.values(homesOf(snapshot))).size, machines.length, "on all machines");
  });
}
