import type { Register } from "../invocation.ts";
import { bringTo, withFiles } from "../unit-changes.ts";
import type { SubmitOptions } from "../unit-changes.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("load")
    .description("Hand unit files in and place them, without starting them.");
  act<SubmitOptions>(withFiles(command), (keel, args, options) => bringTo(keel, args, options, "loaded"));
};
