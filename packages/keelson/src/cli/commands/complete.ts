import { candidatesFor, clusterIn } from "../completion.ts";
import type { DaemonClient } from "../daemon/client.ts";
import type { Register } from "../invocation.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("complete", { hidden: true })
    .argument("[words...]", "the words typed so far; the last is the one to complete")
    .description("Print candidates for the word being typed, one a line.");
  act(command, async (keel, words) => {
    const cluster = clusterIn(words);
    const daemon = cluster === undefined ? keel.daemon : () => daemonOf(cluster, keel.signal);
    const items = (await candidatesFor(words, { daemon })).map((candidate) => ({ ...candidate }));
    keel.output.list({
      name: "candidates",
      type: "candidate",
      items,
      text: () => items.map(({ value, description }) => `${value}\t${description}\n`).join(""),
    });
  });
};

async function daemonOf(cluster: string, signal: AbortSignal): Promise<DaemonClient> {
  const { DaemonClient } = await import("../daemon/client.ts");
  const { endpointFor } = await import("../daemon/endpoint.ts");
  return DaemonClient.at(endpointFor({ cluster, named: true, env: {} }), signal);
}
