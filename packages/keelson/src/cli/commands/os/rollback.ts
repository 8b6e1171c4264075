import { rollBack } from "../../../updater/roll-back.ts";
import { openThisMachine, restartMachine } from "../../../updater/this-machine.ts";
import type { Register } from "../../invocation.ts";
import { Option } from "commander";
import { meansMachines, withMachines } from "./machines/options.ts";
import type { MachinesOptions } from "./machines/options.ts";
import { rollBackMachines } from "./machines/update.ts";
import { refuseAtWork } from "./update.ts";

interface Options extends MachinesOptions {
  readonly now?: boolean;
  readonly force?: boolean;
}

export const registerRollback: Register = (group, act) => {
  const rollback = withMachines(group.command("rollback"))
    .addOption(new Option("--dry-run", "of the cluster’s machines: print the plan and change nothing"))
    .option("--now", "restart at once; otherwise the next restart starts the other version")
    .option("--force", "although the other version failed here, or units are at work")
    .description(
      "Let the machine start the other slot’s version next, or take back an update that waits for its restart. With --machines or --all: of the cluster’s machines, one after the other.",
    );
  act<Options>(rollback, async (keel, _args, options) => {
    if (meansMachines(options)) return rollBackMachines(keel, options);
    const { now = false, force = false } = options;
    const machine = await openThisMachine();
    if (now) await refuseAtWork(force);
    const done = await rollBack(machine, { force });
    const restarts = now && done.kind === "rollback";
    keel.output.document({ ...done, restarting: restarts }, () =>
      done.kind === "cancelled"
        ? `${done.from} will not start; ${done.to} goes on\n`
        : `the next start is ${done.to}; ${restarts ? "the machine restarts" : `until then ${done.from} runs`}\n`,
    );
    if (restarts) await restartMachine();
  });
};
