// Commands that change units which are there: their words become a selector as they are. The server resolves
// and guards it, so that it sees what was asked for.
import type { Command } from "commander";
import { KeelError } from "../base/errors.ts";
import type { ExitCode } from "../base/errors.ts";
import type { Intent, Selector } from "../model/operation.ts";
import { change } from "./change.ts";
import type { ChangeOptions } from "./change.ts";
import type { Invocation } from "./invocation.ts";
import { withGuards, withWait } from "./options.ts";

export interface SelectOptions extends ChangeOptions {
  readonly all?: boolean;
}

export function withUnits(command: Command): Command {
  command
    .argument("[units...]", "units, instances, or patterns in quotes")
    .option("--all", "every unit of the cluster");
  return withGuards(withWait(command));
}

/** Makes the change that `intent` builds for the selected units. */
export function changeUnits(
  keel: Invocation,
  words: readonly string[],
  options: SelectOptions,
  intent: (units: Selector) => Intent,
): Promise<ExitCode> {
  return change(keel, intent(selectorFor(words, options)), options);
}

/** The selector for words and --all. Throws KEEL-104 for both. */
export function selectorFor(words: readonly string[], options: SelectOptions): Selector {
  if (options.all !== true) return { names: [...words] };
  if (words.length === 0) return { all: true };
  throw new KeelError("KEEL-104", "units and --all together", { hint: "name units, or say --all" });
}
