// Runs inside a machine whose PID 1 is systemd, and uses it as a host for machines of its own.
// Usage: systemd-host-trial.ts STATE-FOLDER LAYER…
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalCluster, scopesOfHost } from "../../packages/keelson/src/local/cluster.ts";
import { runCommand, tryCommand } from "../../packages/keelson/src/local/command.ts";
import { ping, pingPatiently } from "./ping.ts";

const [stateDirectory = "", ...layers] = process.argv.slice(2);
const cluster = new LocalCluster("nested", { stateDirectory });
const units = (): Promise<string> =>
  runCommand("systemctl list-units --all --plain --no-legend --full keelson.nested.*".split(" "));
const quick = { timeoutMs: 5000 };
const say = (what: string): void => void process.stdout.write(`${what}\n`);

assert.equal(scopesOfHost().form, "systemd");
try {
  await cluster.create(layers);
  const machines = await cluster.machines();
  for (const name of ["m1", "m2"]) {
    await machines.create({ name });
    await machines.start(name);
  }
  for (const name of ["m1", "m2"]) assert.equal(await machines.ready(name), "running");
  const answers = async (argv: string): Promise<boolean> =>
    (await machines.exec("m1", ["sh", "-c", argv])).stdout.trim() === "yes";
  assert.match(await units(), /keelson\.nested\.machine\.m1\.service\s+loaded\s+active\s+running/);
  assert.ok(await answers(pingPatiently("m2")));
  say("started");

  await machines.exec("m1", ["sh", "-c", "echo kept >/etc/kept; sync"]);
  await machines.crash("m1");
  assert.equal((await machines.list())[0]?.state, "stopped");
  assert.doesNotMatch(await units(), /machine\.m1/);
  await machines.start("m1");
  await machines.ready("m1");
  assert.equal((await machines.exec("m1", ["cat", "/etc/kept"])).stdout, "kept\n");
  say("crashed");

  await machines.pause("m2");
  assert.equal((await machines.list())[1]?.state, "paused");
  await machines.resume("m2");
  await machines.cut("m2");
  assert.equal(await answers(ping("m2")), false);
  await machines.heal("m2");
  assert.ok(await answers(pingPatiently("m2")));
  say("paused and cut");

  await machines.exec("m2", ["touch", "/run/before"]);
  await machines.exec("m2", ["systemctl", "reboot"], quick);
  const rebooted = async (): Promise<boolean> =>
    (await machines.exec("m2", ["test", "!", "-e", "/run/before"], quick).catch(() => undefined))?.code === 0;
  for (let i = 0; i < 900 && !(await rebooted()); i++) await sleep(100);
  await machines.ready("m2");
  await machines.stop("m2");
  assert.equal((await machines.list())[1]?.state, "stopped");
  assert.doesNotMatch(await units(), /machine\.m2/);
  say("rebooted and stopped");

  const env = { PATH: "/usr/bin:/bin" };
  await cluster.startHostProcess({ name: "sleeper", argv: ["sleep", "1000"], env });
  assert.equal((await cluster.hostProcess("sleeper")).length, 1);
  await cluster.stopHostProcess("sleeper");
  assert.deepEqual(await cluster.hostProcess("sleeper"), []);
  await cluster.startHostProcess({ name: "sleeper", argv: ["sleep", "1000"], env });
} finally {
  await new LocalCluster("nested", { stateDirectory }).destroy();
}
assert.equal(await units(), "");
assert.deepEqual(await LocalCluster.list({ stateDirectory }), []);
assert.doesNotMatch((await tryCommand(["ip", "-brief", "link"])).stdout, /^(kn|vb)-/m);
say("removed");
