// `keel up` and `keel down` when things go wrong: interrupted, killed, several at once.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { after, describe, test } from "node:test";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import { Cluster, processes } from "../support/cluster.ts";
import { noTraces, tracesOf, whyNoMachines } from "../support/machines.ts";

const skip = whyNoMachines();
const main = resolve(import.meta.dirname, "../../packages/keelson/src/cli/main.ts");
const one = new Cluster(`t${process.pid}-up1`);
const other = new Cluster(`t${process.pid}-up2`);

/** Starts `keel up` and sends it a signal once it has said something; its exit code and what it said. */
async function interruptedUp(cluster: Cluster, when: RegExp, signal: "SIGINT" | "SIGKILL"): Promise<string> {
  const child = spawn(process.execPath, [main, "up", "--cluster", cluster.name, "--no-example"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (!child.killed && when.test(said)) child.kill(signal);
  });
  const ended = new Promise<string>((done) =>
    child.once("close", (code, by) => done(`${by ?? code} ${said}`)),
  );
  return ended;
}

const states = async (cluster: Cluster): Promise<string[]> =>
  (await cluster.snapshot()).machines.map(({ name, state }) => `${name} ${state}`).toSorted();

describe("up and down", { skip, timeout: 1_200_000 }, () => {
  after(async () => {
    await one.down();
    await other.down();
  });

  test("an interrupted up says how to go on, and the next one does", async () => {
    const first = await interruptedUp(one, /store and API/, "SIGINT");
    assert.match(first, /^130 [^]*interrupted: `(\.\/)?keel up --cluster \S+` goes on from here/);
    const second = await interruptedUp(one, /network/, "SIGKILL");
    assert.match(second, /^SIGKILL /);
    await one.keel(["up", "--no-example"]);
    assert.deepEqual(await states(one), ["m1 up", "m2 up", "m3 up"]);
  });

  test("up starts again what was killed", async () => {
    await one.keel(["machine", "kill", "m2"]);
    for (const { pid, machine } of processes(one.name, /keeld\.js/)) {
      if (machine.startsWith("host.")) process.kill(pid, "SIGKILL");
    }
    await one.keel(["up", "--no-example"]);
    await one.until("all machines up", ({ machines }) => machines.every(({ state }) => state === "up"));
  });

  test("another cluster lives beside it, with names and addresses of its own", async () => {
    await other.keel(["up", "--no-example", "--machines", "1"]);
    assert.deepEqual(await states(other), ["m1 up"]);
    assert.deepEqual(await states(one), ["m1 up", "m2 up", "m3 up"]);
    const { stdout } = await other.keel(["cluster", "list"]);
    assert.match(stdout, new RegExp(`${one.name} +3/3 +runs`));
    assert.match(stdout, new RegExp(`${other.name} +1/1 +runs`));
    await other.down();
    assert.deepEqual(await states(one), ["m1 up", "m2 up", "m3 up"]);
  });

  test("a machine more, a machine less", async () => {
    await one.keel(["machine", "add"]);
    assert.deepEqual(await states(one), ["m1 up", "m2 up", "m3 up", "m4 up"]);
    await one.keel(["machine", "rm", "m4"]);
    assert.deepEqual(await states(one), ["m1 up", "m2 up", "m3 up"]);
  });

  test("down leaves nothing, also when every process of it was killed", async () => {
    for (const { pid } of processes(one.name, /./)) process.kill(pid, "SIGKILL");
    const down = await one.down();
    assert.equal(down.status, 0, down.stderr);
    for (const { name } of [one, other]) assert.deepEqual(await tracesOf(new LocalCluster(name)), noTraces);
  });
});
