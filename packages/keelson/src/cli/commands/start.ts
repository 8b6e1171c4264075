import type { Register } from "../invocation.ts";
import { bringTo, withFiles } from "../unit-changes.ts";
import type { SubmitOptions } from "../unit-changes.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("start")
    .description("Start units of the cluster, or hand unit files in and start them.");
  act<SubmitOptions>(withFiles(command), (keel, args, options) => bringTo(keel, args, options, "launched"));
};
