import { KeelError } from "../../base/errors.ts";
import { LocalCluster } from "../../local/cluster.ts";
import type { Invocation, Register } from "../invocation.ts";
import { localClusters, takeDown } from "../local-cluster/take-down.ts";
import type { TakenDown } from "../local-cluster/take-down.ts";
import { count } from "../plan-text.ts";

interface DownOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
}

export const register: Register = (program, act) => {
  const command = program
    .command("down")
    .option("--all", "every local cluster of this host, whoever made it")
    .option("-y, --yes", "with --all: ask nothing")
    .description("Remove a local cluster: machines, processes, network, files. Only the cache stays.");
  act<DownOptions>(command, async (keel, _args, options) => {
    if (process.getuid?.() !== 0)
      throw new KeelError("KEEL-301", "only root can remove machines", { hint: "sudo keel down" });
    const names = options.all === true ? await localClusters() : [keel.cluster];
    if (options.all === true && names.length > 0 && options.yes !== true) await confirmAll(keel, names);
    const taken: TakenDown[] = [];
    for (const name of names) taken.push(await down(keel, name));
    keel.output.list({
      name: "clusters",
      type: "cluster",
      items: taken.map((one) => ({ ...one })),
      text: () => (taken.length === 0 ? "There are no local clusters.\n" : taken.map(downText).join("")),
    });
  });
};

/** Somebody else may have made some of them. Throws KEEL-202 unless a person says yes. */
async function confirmAll(keel: Invocation, names: readonly string[]): Promise<void> {
  const what = `this removes ${count(names.length, "cluster")}: ${names.join(", ")}`;
  if (keel.terminal.interactive) {
    const answer = await keel.terminal.ask(`${what}. Go on? [y/N] `, keel.signal);
    if (/^y(es)?$/i.test(answer.trim())) return;
  }
  throw new KeelError("KEEL-202", what, { hint: "repeat with --yes, or name one with --cluster" });
}

function down(keel: Invocation, name: string): Promise<TakenDown> {
  const cluster = new LocalCluster(name);
  return keel.progress.run(`remove cluster ${name}`, () => cluster.exclusively(() => takeDown(cluster)));
}

function downText({ cluster, removed }: TakenDown): string {
  if (removed.length === 0) return `There is no cluster ${cluster}; nothing was left of it either.\n`;
  return `The cluster ${cluster} is gone: ${removed.join(", ")}. The cache stays (\`keel cache ls\`).\n`;
}
