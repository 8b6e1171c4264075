import type { Register } from "../invocation.ts";
import { changeUnits, withUnits } from "../selected-units.ts";
import type { SelectOptions } from "../selected-units.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("destroy")
    .description("Destroy units. For 72 hours `keel undo` brings them back as they were.");
  act<SelectOptions>(withUnits(command), (keel, args, options) =>
    changeUnits(keel, args, options, (units) => ({ kind: "destroy", units })),
  );
};
