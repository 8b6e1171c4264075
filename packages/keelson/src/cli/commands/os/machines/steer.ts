import type { ChangeOptions } from "../../../change.ts";
import { change } from "../../../change.ts";
import type { Register } from "../../../invocation.ts";
import { Option } from "commander";

const actions = [
  ["pause", "Let no other machine’s turn of the cluster’s update come; machines that are under way go on."],
  ["resume", "Go on with an update that is paused, halted or ended; machines that failed get another turn."],
  ["abort", "End the cluster’s update where it is; machines that were only drained take units again."],
] as const;

/** `keel os pause`, `resume` and `abort`. */
export const registerSteering: Register = (group, act) => {
  for (const [action, description] of actions) {
    const command = group
      .command(action)
      .addOption(new Option("--dry-run", "print the plan and change nothing"))
      .description(description);
    act<ChangeOptions>(command, (keel, _args, options) =>
      change(keel, { kind: "system-update", action }, { ...options, wait: false }),
    );
  }
};
