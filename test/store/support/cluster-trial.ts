// A real three-member cluster under load while its members are killed, paused and cut off. Run in a network
// namespace of its own: cluster-trial.ts ETCD DIRECTORY SEED SECONDS. Prints the history and what it violates.
import { EtcdCluster } from "./etcd-cluster.ts";
import type { ClusterMember } from "./etcd-cluster.ts";
import { violations } from "./linearizable.ts";
import { seeded } from "../../../packages/etcd/test/seeded.ts";
import { run, wholeLog } from "./workload.ts";

const [program = "", dir = "", seed = "1", seconds = "10"] = process.argv.slice(2);
const random = seeded(Number(seed));
await using cluster = await EtcdCluster.start(program, dir, 3);
await wholeLog(cluster.endpoints);
const over = new AbortController();
const keys = ["a", "b", "c"];
const history = run({ endpoints: cluster.endpoints, clients: 6, keys, random, signal: over.signal });
const faults = await disturb(cluster.members, Number(seconds) * 1000);
over.abort();
const operations = await history;
const log = await wholeLog(cluster.endpoints);
// Puts of wholeLog itself.
const own = log.filter(({ key }) => keys.includes(key));
const answered = operations.filter((operation) => operation.answered !== undefined).length;
const result = { faults, operations: operations.length, answered, violations: violations(own, operations) };
process.stdout.write(`${JSON.stringify(result)}\n`);

/** One fault after another, never on more members than the cluster can miss. */
async function disturb(members: readonly ClusterMember[], milliseconds: number): Promise<readonly string[]> {
  const until = performance.now() + milliseconds;
  const done: string[] = [];
  while (performance.now() < until) {
    const place = Math.floor(random() * members.length);
    const member = members[place] as ClusterMember;
    const fault = ["kill", "pause", "cut"][Math.floor(random() * 3)] ?? "cut";
    done.push(`${fault} ${place + 1}`);
    if (fault === "kill") await member.kill();
    else if (fault === "pause") member.pause();
    else member.cut();
    await pause(500 + random() * 1500);
    if (fault === "kill") await member.start();
    else if (fault === "pause") member.resume();
    else member.heal();
    await pause(300 + random() * 700);
  }
  return done;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
