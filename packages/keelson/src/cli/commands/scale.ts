import type { ChangeOptions } from "../change.ts";
import { change } from "../change.ts";
import type { Register } from "../invocation.ts";
import { withGuards, withWait } from "../options.ts";
import { parseReplicas } from "../unit-changes.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("scale")
    .argument("<template>", "web@ or web@.container")
    .argument("<replicas>", "how many instances")
    .description("Set how many instances of a template run.");
  act<ChangeOptions>(withGuards(withWait(command)), (keel, [unit = "", number = ""], options) =>
    change(keel, { kind: "scale", unit, replicas: parseReplicas(number) }, options),
  );
};
