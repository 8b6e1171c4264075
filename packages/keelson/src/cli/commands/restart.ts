import { KeelError, exitCode } from "../../base/errors.ts";
import type { InstanceView } from "../../api/wire/instance.ts";
import { makeChange, reportChange, change } from "../change.ts";
import type { Invocation, Register } from "../invocation.ts";
import { waits } from "../options.ts";
import { selectorFor, withUnits } from "../selected-units.ts";
import type { SelectOptions } from "../selected-units.ts";
import { alignColumns } from "../table.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("restart")
    .description(
      "Restart units, and prove it: systemd gives each start a new invocation id, which is shown.",
    );
  act<SelectOptions>(withUnits(command), async (keel, args, options) => {
    const units = selectorFor(args, options);
    const intent = { kind: "restart", units } as const;
    if (options.dryRun === true || !waits(options)) return change(keel, intent, options);
    const before = await invocations(keel);
    const made = await makeChange(keel, intent, options);
    if (made.timedOut || made.progress?.outcome !== "succeeded") return reportChange(keel, made);
    const after = await invocations(keel);
    const restarted = made.progress.items.filter(({ want }) => want === "restarted");
    const items = restarted.map(({ instance, machine, unit }) => {
      const key = `${machine ?? ""}/${instance}`;
      const now = after.get(key);
      return {
        instance,
        unit,
        machine: now?.machineName ?? null,
        before: before.get(key)?.invocation ?? "",
        after: now?.invocation ?? "",
      };
    });
    const unproven = items.filter((item) => item.after === "" || item.after === item.before);
    if (unproven.length > 0) {
      const names = unproven.map((item) => item.instance).join(", ");
      throw new KeelError("KEEL-603", `${names}: systemd shows no new start`, {
        hint: `\`keel status ${unproven[0]?.instance ?? ""}\` shows its state`,
      });
    }
    const stopped = made.progress.items
      .filter(({ want }) => want !== "restarted")
      .map(({ instance }) => [
        instance,
        `not started, so not restarted; ${keel.command(`start ${instance}`)}`,
      ]);
    const nothing = `${made.operation.summary}: nothing runs that could be restarted\n`;
    keel.output.document({ operation: made.operation.id, restarted: items }, () =>
      items.length + stopped.length === 0
        ? nothing
        : alignColumns(
            items.map((item) => [
              item.instance,
              item.machine ?? "-",
              `${shortInvocation(item.before)} → ${shortInvocation(item.after)}`,
            ]),
          ) + alignColumns(stopped),
    );
    return exitCode.done;
  });
};

/** By machine and instance. */
async function invocations(keel: Invocation): Promise<ReadonlyMap<string, InstanceView>> {
  const { instances } = await (await keel.daemon()).snapshot();
  return new Map(instances.map((instance) => [`${instance.machine ?? ""}/${instance.name}`, instance]));
}

function shortInvocation(id: string): string {
  return id === "" ? "(did not run)" : id.slice(0, 12);
}
