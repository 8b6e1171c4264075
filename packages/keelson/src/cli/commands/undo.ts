import type { ChangeOptions } from "../change.ts";
import { change } from "../change.ts";
import type { Register } from "../invocation.ts";
import { operationId } from "../operation-id.ts";
import { withGuards, withWait } from "../options.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("undo")
    .argument("[operation]", "an operation or the beginning of its identity; the last one if absent")
    .description("Take an operation back: what it destroyed, stopped, scaled or replaced is as it was.");
  act<ChangeOptions>(withGuards(withWait(command)), async (keel, [word], options) => {
    const operation = word === undefined ? undefined : await operationId(await keel.daemon(), word);
    return change(keel, { kind: "undo", ...(operation === undefined ? {} : { operation }) }, options);
  });
};
