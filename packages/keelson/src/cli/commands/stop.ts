import type { Register } from "../invocation.ts";
import { changeUnits, withUnits } from "../selected-units.ts";
import type { SelectOptions } from "../selected-units.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("stop")
    .description("Stop units. They stay on their machines and can be started again.");
  act<SelectOptions>(withUnits(command), (keel, args, options) =>
    changeUnits(keel, args, options, (units) => ({ kind: "set-desired", units, desired: "loaded" })),
  );
};
