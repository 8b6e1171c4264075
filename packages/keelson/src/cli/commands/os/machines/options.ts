// What `keel os` takes when it speaks of the cluster's machines, and not of the one that it runs on.
import type { Command } from "commander";
import { Option } from "commander";
import { KeelError } from "../../../../base/errors.ts";
import type { Intent } from "../../../../model/operation.ts";
import type { ChangeOptions } from "../../../change.ts";
import { parseDuration } from "../../../duration.ts";

type UpdateIntent = Extract<Intent, { kind: "update-system" }>;

export interface MachinesOptions extends ChangeOptions {
  readonly machines?: string;
  readonly all?: boolean;
  readonly atOnce?: string;
  readonly drainDeadline?: string;
  readonly again?: boolean;
}

/** The options that choose machines of the cluster, and how they are gone through. `--dry-run` is the command's own. */
export function withMachines(command: Command): Command {
  return command
    .option("--machines <names>", "these machines of the cluster, one after the other")
    .option("--all", "all machines of the cluster that can be updated")
    .option("--at-once <number>", "of the cluster’s machines, so many restart at the same time (1)")
    .option("--drain-deadline <span>", "of the cluster’s machines: stop after this long what has not moved")
    .option("--again", "of the cluster’s machines: also where the version failed before")
    .option("--wait", "of the cluster’s machines: follow it to its end")
    .addOption(new Option("--timeout <span>", "with --wait: how long (4h)"))
    .option("--allow-stranded", "of the cluster’s machines: although some units fit on no other one")
    .addOption(new Option("--confirm <name>", "allow what needs the cluster’s name"))
    .addOption(new Option("-y, --yes", "ask nothing"));
}

/** Whether the cluster's machines are meant. Throws KEEL-104 for both ways to name them at once. */
export function meansMachines({ machines, all = false }: MachinesOptions): boolean {
  if (machines !== undefined && all)
    throw new KeelError("KEEL-104", "--machines names some, --all means all: one of them");
  return all || machines !== undefined;
}

/** What the options say of an update or a return. Throws KEEL-104. */
export function termsOf(
  options: MachinesOptions,
): Pick<UpdateIntent, "machines" | "atOnce" | "drainSeconds" | "again"> {
  const { machines, atOnce = "1", drainDeadline, again = false } = options;
  if (!/^[1-9]\d{0,2}$/.test(atOnce) || Number(atOnce) > 100)
    throw new KeelError("KEEL-104", `--at-once ${atOnce}: a number from 1 to 100`);
  const names = (machines ?? "").split(/[\s,]+/).filter((name) => name !== "");
  if (machines !== undefined && names.length === 0)
    throw new KeelError("KEEL-104", "--machines names no machine", { hint: "--machines m1,m2" });
  return {
    machines: machines === undefined ? { all: true } : { names },
    atOnce: Number(atOnce),
    again,
    ...(drainDeadline === undefined
      ? {}
      : { drainSeconds: Math.max(1, Math.round(parseDuration(drainDeadline, "--drain-deadline") / 1000)) }),
  };
}
