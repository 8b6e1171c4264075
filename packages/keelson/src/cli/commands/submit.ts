import type { Register } from "../invocation.ts";
import { bringTo, withFiles } from "../unit-changes.ts";
import type { SubmitOptions } from "../unit-changes.ts";

export const register: Register = (program, act) => {
  const command = program.command("submit").description("Hand unit files in, without placing them.");
  act<SubmitOptions>(withFiles(command), (keel, args, options) => bringTo(keel, args, options, "inactive"));
};
