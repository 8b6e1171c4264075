// A program that makes a cluster and its machines, and says when it is where. Suites kill it.
// Usage: half-done-cluster.ts CLUSTER LAYER…
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";

const [name = "", ...layers] = process.argv.slice(2);
const cluster = new LocalCluster(name);
const say = (what: string): void => void process.stdout.write(`${what}\n`);

await cluster.exclusively(async () => {
  say("locked");
  await cluster.create(layers);
  say("created");
  const machines = await cluster.machines();
  await machines.create({ name: "m1" });
  await machines.create({ name: "m2" });
  say("machines");
  await cluster.startHostProcess({
    name: "sleeper",
    argv: ["sleep", "1000"],
    env: { PATH: "/usr/bin:/bin" },
  });
  await machines.start("m1");
  say("first");
  await machines.start("m2");
  await machines.pause("m1");
  await machines.cut("m2");
  say("paused");
  await machines.ready("m2");
  say("ready");
  setInterval(() => {}, 1000);
  await new Promise(() => {});
});
