// Runs etcdctl, and keeps what it says in a form in which two servers can be compared.
import { spawn } from "node:child_process";

/** Arguments, standard input, and for how many milliseconds it says nothing more before it is interrupted. */
export interface Command {
  readonly argv: readonly string[];
  readonly input?: string;
  readonly stopAfter?: number;
}

export const run = (...argv: string[]): Command => ({ argv });

/** Exit code and all that it printed, without what differs from server to server. */
export async function output(
  etcdctl: string,
  address: string,
  { argv, input, stopAfter }: Command,
): Promise<string> {
  const child = spawn(etcdctl, [`--endpoints=${address}`, ...argv], {
    env: { ...process.env, ETCDCTL_API: "3" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // Each by itself: which of them is read first is chance.
  const text = { out: "", err: "" };
  let timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  for (const [name, stream] of [["out", child.stdout] as const, ["err", child.stderr] as const]) {
    stream.on("data", (piece: Buffer) => {
      text[name] += piece.toString();
      if (stopAfter === undefined) return;
      clearTimeout(timer);
      timer = setTimeout(() => child.kill("SIGKILL"), stopAfter);
    });
  }
  // It may end without having read its input.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input ?? "");
  const code = await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  return `${String(code)}\n${normalise(`${text.out}${text.err}`, address)}`;
}

/** Without what differs from server to server and from run to run. */
function normalise(text: string, address: string): string {
  return text
    .replaceAll(address, "ADDRESS")
    .replaceAll(/"(ClusterID|MemberID|RaftTerm|ID|cluster_id|member_id|raft_term)" ?: ?\d+/g, '"$1": N')
    .replaceAll(/took = \S+/g, "took = T")
    .replaceAll(/"PeerURL" : .*\n/g, "")
    .split("\n")
    .filter((line) => !line.startsWith('{"level":"warn"'))
    .join("\n");
}
