import { KeelError, exitCode } from "../../base/errors.ts";
import { LocalCluster } from "../../local/cluster.ts";
import { inspectHost } from "../../local/prepare-host.ts";
import { describeEndpoint } from "../daemon/endpoint.ts";
import type { Invocation, Register } from "../invocation.ts";
import { repositoryFolder } from "../local-cluster/example.ts";
import { balanceCheck, clusterChecks } from "../local-cluster/health-checks.ts";
import type { Check } from "../local-cluster/health-checks.ts";
import { movesOffered } from "../rebalance-offer.ts";
import { alignColumns } from "../table.ts";

/** How long keeld may take to answer. */
const patienceMs = 10_000;

const marks = { ok: ["✓", "green"], warn: ["!", "yellow"], fail: ["✗", "red"] } as const;

export const register: Register = (program, act) => {
  const command = program
    .command("doctor")
    .description(
      "Check the host and the cluster, with a remedy for each problem. Exit 1 if something fails.",
    );
  act(command, async (keel) => {
    const found = [
      ...(await hostChecks(keel)),
      ...(await machineChecks(keel)),
      ...(await daemonChecks(keel)),
    ];
    const checks = found.map((check) => ({ ...check, remedy: forThisCluster(check.remedy, keel) }));
    const failed = checks.filter(({ state }) => state === "fail").length;
    const warned = checks.filter(({ state }) => state === "warn").length;
    keel.output.document({ healthy: failed === 0, checks }, () => {
      const lines = checks.map(({ what, state, found }) => {
        const [mark, colour] = marks[state];
        return [`${keel.paint(colour, mark)} ${what}`, found];
      });
      const remedies = checks
        .filter(({ remedy }) => remedy !== "")
        .map(({ what, remedy }) => `${what}: ${remedy}\n`);
      const verdict =
        failed === 0
          ? warned === 0
            ? "All is well."
            : `Nothing is broken; ${warned} to know about.`
          : `${failed} to repair.`;
      return `${alignColumns(lines)}${remedies.length === 0 ? "" : `\n${remedies.join("")}`}\n${verdict}\n`;
    });
    return failed === 0 ? exitCode.done : exitCode.failed;
  });
};

/** The command lines in a remedy, as they are to be typed here. */
function forThisCluster(remedy: string, keel: Invocation): string {
  return remedy.replaceAll(/`keel ([^`]+)`/g, (_line, words: string) => `\`${keel.command(words)}\``);
}

/** Whether this host can run local machines; only where they could be made. */
async function hostChecks(keel: Invocation): Promise<readonly Check[]> {
  const repository = repositoryFolder();
  if (repository === undefined || (keel.terminal.env.KEEL_ENDPOINT ?? "") !== "") return [];
  const verdict = await inspectHost({ repository, machines: 1 });
  const problems = verdict.problems.map(({ what, remedy }): Check => ({
    what: "host",
    state: "fail",
    found: what,
    remedy,
  }));
  if (problems.length > 0) return problems;
  const packages: Check[] =
    verdict.packages.length === 0
      ? [{ what: "host", state: "ok", found: "can run local machines", remedy: "" }]
      : [
          {
            what: "host",
            state: "warn",
            found: `packages are missing: ${verdict.packages.join(", ")}`,
            remedy: "`keel up` installs them",
          },
        ];
  return packages;
}

/** The machines as the host sees them. */
async function machineChecks(keel: Invocation): Promise<readonly Check[]> {
  const cluster = new LocalCluster(keel.cluster);
  if ((await cluster.record()) === undefined) return [];
  const machines = await (await cluster.machines()).list();
  return machines
    .filter((machine) => machine.state !== "running" || machine.link === "down" || machine.cutFrom.length > 0)
    .map((machine): Check => {
      const cut = machine.cutFrom.length > 0 ? "cut off" : machine.link === "down" ? "without its cable" : "";
      const found = machine.state === "running" ? cut : machine.state;
      const verb = machine.state === "paused" ? "resume" : machine.state === "stopped" ? "start" : "heal";
      return {
        what: `machine ${machine.name}`,
        state: "warn",
        found,
        remedy: `\`keel machine ${verb} ${machine.name}\``,
      };
    });
}

async function daemonChecks(keel: Invocation): Promise<readonly Check[]> {
  const client = (await keel.daemon()).within(patienceMs);
  const where = describeEndpoint(client.endpoint);
  try {
    const health = await client.health();
    const answers: Check = {
      what: "daemon",
      state: "ok",
      found: `keeld ${health.version} answers at ${where}`,
      remedy: "",
    };
    const moves = await movesOffered(keel);
    return [answers, ...clusterChecks(health, await client.snapshot()), ...balanceCheck(moves)];
  } catch (error) {
    keel.signal.throwIfAborted();
    const broken = { what: "daemon", state: "fail" } as const;
    if (error instanceof Error && error.name === "TimeoutError") {
      const found = `keeld does not answer at ${where}, though it is there (${patienceMs / 1000} s)`;
      return [{ ...broken, found, remedy: "it is frozen or has too much to do: look at its process" }];
    }
    if (!(error instanceof KeelError)) throw error;
    const remedy =
      error.code === "KEEL-401"
        ? "the store is elsewhere: look there. What runs goes on, and all goes on by itself when it is back"
        : (error.hint ?? "`keel up` starts a local cluster");
    return [{ ...broken, found: error.message, remedy }];
  }
}
