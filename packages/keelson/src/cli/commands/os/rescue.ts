import { Option } from "commander";
import { exitCode, KeelError } from "../../../base/errors.ts";
import { readRescue, reformatState, repairState } from "../../../updater/rescue.ts";
import type { Register } from "../../invocation.ts";

interface Options {
  readonly repair?: boolean;
  readonly reformat?: boolean;
  readonly yes?: boolean;
}

export const registerRescue: Register = (group, act) => {
  const rescue = group
    .command("rescue")
    .addOption(new Option("--repair", "mend the state partition’s file system").conflicts("reformat"))
    .option("--reformat", "make the state partition anew, empty: everything on it is lost")
    .option("-y, --yes", "ask nothing")
    .description("On a machine without its state partition: say why, and what to do. Exits 1 in that state.");
  act<Options>(rescue, async (keel, _args, options) => {
    if (options.repair === true) {
      const report = await repairState();
      keel.output.document({ repaired: true, report }, () => `${report}\nRepaired. Restart: ${restart}\n`);
      return;
    }
    if (options.reformat === true) {
      if (options.yes !== true)
        throw new KeelError("KEEL-716", "everything on the state partition would be lost", {
          hint: "keel os rescue --reformat --yes",
        });
      await reformatState();
      keel.output.document({ reformatted: true }, () => `The state partition is new. Restart: ${restart}\n`);
      return;
    }
    const found = await readRescue();
    if (found === undefined) {
      keel.output.document({ rescue: false }, () => "The machine has its state: nothing to rescue.\n");
      return;
    }
    const { reason, facts } = found;
    const device = facts?.stateDevice;
    keel.output.document({ rescue: true, reason, device: device ?? null, steps }, () =>
      [
        `RESCUE: ${reason}\n`,
        `State partition: ${device ?? "not found"}. keeld does not run, and nothing on the disk is changed.\n\n`,
        ...steps.map(({ command, what }) => `  ${command.padEnd(34)}${what}\n`),
      ].join(""),
    );
    return exitCode.failed;
  });
};

const restart = "systemctl start --no-block reboot.target";

const steps = [
  { command: "keel os rescue --repair", what: "mend its file system; nothing else is tried" },
  {
    command: "keel os rescue --reformat --yes",
    what: "make it anew, empty: the machine is set up as at first",
  },
  { command: restart, what: "start again, after either, or once a lost disk is back" },
] as const;
