import { KeelError } from "../../base/errors.ts";
import type { ChangeOptions } from "../change.ts";
import { change } from "../change.ts";
import type { Register } from "../invocation.ts";
import { withGuards, withWait } from "../options.ts";
import { recordName } from "../unit-arguments.ts";

interface RollbackOptions extends ChangeOptions {
  readonly to?: string;
}

export const register: Register = (program, act) => {
  const command = program
    .command("rollback")
    .argument("<unit>", "a unit of the cluster")
    .option("--to <version>", "a version’s number (the one before the present)")
    .description("Go back to an earlier version of a unit’s file, batch by batch.");
  act<RollbackOptions>(withGuards(withWait(command)), async (keel, [word = ""], options) => {
    const to = options.to === undefined ? undefined : parseVersion(options.to);
    const unit = recordName(word, await (await keel.daemon()).snapshot());
    return change(keel, { kind: "rollback", unit, ...(to === undefined ? {} : { to }) }, options);
  });
};

/** A version's number. Throws KEEL-104. */
export function parseVersion(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new KeelError("KEEL-104", `"${text}" is no version’s number`, {
    hint: "keel versions UNIT lists them",
  });
}
