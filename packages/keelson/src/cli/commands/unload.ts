import type { Register } from "../invocation.ts";
import { changeUnits, withUnits } from "../selected-units.ts";
import type { SelectOptions } from "../selected-units.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("unload")
    .description("Stop units and take them off their machines. The cluster still knows them.");
  act<SelectOptions>(withUnits(command), (keel, args, options) =>
    changeUnits(keel, args, options, (units) => ({ kind: "set-desired", units, desired: "inactive" })),
  );
};
