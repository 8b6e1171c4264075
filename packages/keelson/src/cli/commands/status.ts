import { withNextTry } from "../../model/next-try.ts";
import { KeelError, exitCode } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";
import { showCluster } from "../cluster-status.ts";
import { statusWithoutSystemd } from "../ended-status.ts";
import { portOf, readFromMachine, serviceOf, shownInstances } from "../machine-access.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("status")
    .argument("[units...]", "units, instances, or patterns in quotes; the cluster if left out")
    .option("-n, --lines <number>", "journal lines to show (10)")
    .option("--ssh-port <number>", "the machines’ port for ssh (22)")
    .description(
      "Show systemd’s own view of units, from the machines that they are on; without units, how the cluster is.",
    );
  act<{ readonly lines?: string; readonly sshPort?: string }>(command, async (keel, words, options) => {
    const lines = options.lines ?? "10";
    if (!/^\d+$/.test(lines))
      throw new KeelError("KEEL-104", `--lines ${lines}: no number`, { hint: "--lines 20" });
    const port = portOf(options);
    const client = await keel.daemon();
    if (words.length === 0) return showCluster(keel, client);
    const snapshot = await client.snapshot();
    const shown = shownInstances(words, snapshot);
    const told = await statusWithoutSystemd(
      shown.map(({ instance }) => instance),
      snapshot,
      client,
    );
    const views = await Promise.all(
      shown.map(async ({ instance, machine }) => {
        const known = {
          unit: instance.name,
          reason: withNextTry(instance.reason, instance.failures, snapshot.at),
          unenforced: instance.unenforced ?? [],
        };
        const words = told(instance);
        if (words !== undefined || machine === undefined) {
          const { isWell, text } = words ?? { isWell: false, text: "" };
          const reason = words?.reason ?? known.reason;
          return {
            ...known,
            reason,
            machine: machine?.name ?? null,
            service: null,
            code: isWell ? 0 : 3,
            text,
          };
        }
        const service = await serviceOf(instance, client);
        const argv = ["systemctl", "status", "--full", "--no-pager", `--lines=${lines}`, "--", service];
        const result = await readFromMachine(keel, machine, { command: argv, port }).catch(
          (error: unknown) => {
            if (error instanceof KeelError) return { code: 255, stdout: "", stderr: `${error.message}\n` };
            throw error;
          },
        );
        return {
          ...known,
          machine: machine.name,
          service,
          code: result.code,
          text: result.stdout || result.stderr,
        };
      }),
    );
    keel.output.list({
      name: "statuses",
      type: "status",
      items: views,
      text: () =>
        views
          .map(({ unit, machine, service, reason, unenforced, text }) => {
            const nowhere = text === "" ? " on no machine" : "";
            const place = machine === null ? nowhere : service === null ? "" : ` on ${machine}`;
            const heading = keel.paint("bold", `${unit}${place}`);
            const limits = `${machine} does not enforce its limits on ${unenforced.join(", ")}`;
            const notes = [reason, unenforced.length === 0 ? "" : limits].filter((note) => note !== "");
            return `${heading}${notes.length === 0 ? "" : `: ${notes.join("; ")}`}\n${text}`;
          })
          .join("\n"),
    });
    return views.every((view) => view.code === 0) ? exitCode.done : exitCode.failed;
  });
};
