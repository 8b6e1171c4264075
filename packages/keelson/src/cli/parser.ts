// The command line's grammar, by commander: one command is registered, parsed and run.
import { Command, CommanderError } from "commander";
import { KeelError, exitCode } from "../base/errors.ts";
import type { CommandEntry } from "./command-table.ts";
import { createInvocation } from "./invocation.ts";
import type { Act, CommonOptions, Handler, Style } from "./invocation.ts";
import { moveLeadingOptions, plainSwitches } from "./leading-options.ts";
import { withCommon } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/** Loads the command and runs it with these words; resolves with the exit code. Throws KeelErrors. */
export async function runCommand(
  entry: CommandEntry,
  words: readonly string[],
  run: { readonly terminal: Terminal; readonly signal: AbortSignal; readonly style: Style },
): Promise<number> {
  const { terminal } = run;
  let code: number = exitCode.done;
  const act: Act = <Options>(command: Command, handler: Handler<Options>): Command =>
    withCommon(command).action(async () => {
      const forms = command.options.find(({ long }) => long === "--output")?.argChoices ?? [];
      await using keel = createInvocation(terminal, command.opts<CommonOptions>(), { ...run, forms });
      using _progress = keel.progress;
      code = (await handler(keel, command.args, command.opts() as Options)) ?? exitCode.done;
    });
  const program = createParser(terminal);
  const { register } = await entry.load();
  register(program, act);
  try {
    const isGroup = (program.commands[0]?.commands.length ?? 0) > 0;
    const plain = plainSwitches(entry.name, isGroup ? moveLeadingOptions(words) : words);
    await program.parseAsync([entry.name, ...plain], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return exitCode.done;
    throw usageError(commandWords(program, entry, words), error);
  }
  return code;
}

/** A parser without commands, which writes to the terminal and throws where commander would exit. */
export function createParser(terminal: Pick<Terminal, "out" | "outIsTTY" | "columns">): Command {
  return new Command("keel")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: () => {},
      outputError: () => {},
      getOutHelpWidth: () => (terminal.outIsTTY ? terminal.columns() : 100),
      getOutHasColors: () => false,
    })
    .helpCommand(false)
    .enablePositionalOptions();
}

/** Every command registered in one parser, with nothing behind it: for the reference and for completion. */
export async function fullParser(entries: readonly CommandEntry[]): Promise<Command> {
  const program = createParser({ out() {}, outIsTTY: false, columns: () => 100 });
  for (const entry of entries) (await entry.load()).register(program, (command) => withCommon(command));
  return program;
}

/** `machine rm` of `keel machine rm --bogus`: the command that was meant, in words. */
function commandWords(program: Command, entry: CommandEntry, words: readonly string[]): string {
  const below = program.commands[0]?.commands ?? [];
  const found = below.find((command) =>
    words.some((word) => [command.name(), ...command.aliases()].includes(word)),
  );
  return found ? `${entry.name} ${found.name()}` : entry.name;
}

function usageError(name: string, error: CommanderError): KeelError {
  const help = `keel ${name} --help`;
  if (error.code === "commander.help")
    return new KeelError("KEEL-104", `keel ${name} needs one of its commands`, { hint: help });
  const [first = "", ...others] = error.message.replace(/^error: /, "").split("\n");
  const meant = /Did you mean (.*)\?/.exec(others.join(" "))?.[1];
  const hint = meant === undefined ? help : `did you mean ${meant}?`;
  return new KeelError("KEEL-104", first, { hint, cause: error });
}
