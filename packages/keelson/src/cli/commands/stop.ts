import { KeelError } from "../../base/errors.ts";
import { isPattern } from "../../model/glob.ts";
import type { Invocation, Register } from "../invocation.ts";
import { changeUnits, withUnits } from "../selected-units.ts";
import type { SelectOptions } from "../selected-units.ts";
import { unitFilter } from "../unit-filter.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("stop")
    .description("Stop units. They stay on their machines and can be started again.");
  act<SelectOptions>(withUnits(command), async (keel, args, options) => {
    await refuseInactive(keel, args);
    return changeUnits(keel, args, options, (units) => ({ kind: "set-desired", units, desired: "loaded" }));
  });
};

/** What is inactive would be placed by it. Patterns and --all mean what there is to stop, whatever else they fit. */
async function refuseInactive(keel: Invocation, words: readonly string[]): Promise<void> {
  const named = words.filter((word) => !isPattern(word));
  if (named.length === 0) return;
  const { units } = await (await keel.daemon()).snapshot();
  const isNamed = unitFilter(named);
  const inactive = units.find(({ name, desired }) => desired === "inactive" && isNamed({ name, unit: name }));
  if (inactive === undefined) return;
  throw new KeelError("KEEL-586", `${inactive.name} is inactive: there is nothing to stop`, {
    hint: `\`keel load ${inactive.name}\` places it, \`keel start ${inactive.name}\` starts it`,
  });
}
