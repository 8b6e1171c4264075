// From argv to an exit code: finds the command, loads it alone, and turns what it throws into words.
// Nothing here knows a particular command, and the general help needs none of them.
import { KeelError, exitCode } from "../base/errors.ts";
import { commandAliases, commandGroups, commandTable, fleetVerbs } from "./command-table.ts";
import type { CommandEntry } from "./command-table.ts";
import { parseFormat } from "./invocation.ts";
import type { Style } from "./invocation.ts";
import { moveLeadingOptions } from "./leading-options.ts";
import type { Format } from "./output.ts";
import { Interrupted, reportError } from "./report-error.ts";
import type { Terminal } from "./terminal.ts";

/** Runs one command line; resolves with the exit code. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new Interrupted());
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    return await dispatch(moveLeadingOptions(argv), { terminal, signal: abort.signal, style: "keel" });
  } catch (error) {
    const known = abort.signal.aborted && !(error instanceof Interrupted) ? abort.signal.reason : error;
    return reportError(terminal, formatOf(argv), known);
  } finally {
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
  }
}

interface Run {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly style: Style;
}

async function dispatch(argv: readonly string[], run: Run): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || /^(-h|--help|--h)$/.test(name) || (name === "help" && rest.length === 0)) {
    run.terminal.out(run.style === "fleetctl" ? fleetctlHelp() : generalHelp());
    return exitCode.done;
  }
  if (name === "fleetctl" && run.style === "keel")
    return dispatch(moveLeadingOptions(rest), { ...run, style: "fleetctl" });
  if (name === "help") return dispatch([...rest, "--help"], run);
  if (name === "-V" || name === "--version" || (name === "-v" && run.style === "fleetctl"))
    return dispatch(["version", ...rest], run);
  const entry = run.style === "fleetctl" ? findVerb(name) : findCommand(name);
  if (!entry) throw await unknownCommand(name);
  const { runCommand } = await import("./parser.ts");
  return runCommand(entry, rest, run);
}

/** A verb of fleetctl, which may be shortened as long as it stays unique. */
function findVerb(name: string): CommandEntry | undefined {
  const fitting = fleetVerbs.filter((verb) => verb.startsWith(name));
  const [only] = fitting;
  return findCommand(fitting.length === 1 && only !== undefined ? only : name);
}

/** The command of this name or alias. */
export function findCommand(name: string): CommandEntry | undefined {
  const real = Object.hasOwn(commandAliases, name) ? commandAliases[name] : name;
  return commandTable.find((entry) => entry.name === real);
}

async function unknownCommand(name: string): Promise<KeelError> {
  if (name.startsWith("-"))
    return new KeelError("KEEL-104", `unknown option ${name}`, { hint: "keel --help" });
  const below = await commandsBelow(name);
  if (below.length > 0)
    return new KeelError("KEEL-104", `there is no command "${name}"`, {
      hint: `did you mean ${below.map((words) => `\`keel ${words}\``).join(" or ")}?`,
    });
  const { nearest } = await import("@keelson/systemd");
  const near = nearest(name, [...commandTable.map((entry) => entry.name), ...Object.keys(commandAliases)]);
  const hint = near === undefined ? "keel --help lists the commands" : `did you mean \`keel ${near}\`?`;
  return new KeelError("KEEL-104", `there is no command "${name}"`, { hint });
}

/** `machine drain` for `drain`: the commands of commands that are called so. */
async function commandsBelow(name: string): Promise<readonly string[]> {
  const { fullParser } = await import("./parser.ts");
  const { commands } = await fullParser(commandTable);
  return commands.flatMap((command) =>
    command.commands
      .filter((below) => [below.name(), ...below.aliases()].includes(name))
      .map(() => `${command.name()} ${name}`),
  );
}

/** The format that errors are to have, read from argv even where it cannot be parsed as a whole. */
function formatOf(argv: readonly string[]): Format {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  for (const [i, word] of words.entries()) {
    const text =
      word === "-o" || word === "--output"
        ? words[i + 1]
        : /^(?:--output=|-o=?)(json|ndjson)$/.exec(word)?.[1];
    if (text === "json" || text === "ndjson") return parseFormat(text);
  }
  return "text";
}

/** What `fleetctl --help` prints. */
function fleetctlHelp(): string {
  const width = Math.max(...fleetVerbs.map((verb) => verb.length));
  const lines = fleetVerbs.flatMap((verb) => {
    const entry = findCommand(verb);
    return entry === undefined ? [] : [`  ${verb.padEnd(width)}  ${entry.summary}\n`];
  });
  return `fleetctl: fleet’s commands, by Keelson\n\nUsage: fleetctl COMMAND [options]\n\n${lines.join("")}
Options that every command takes, and FLEETCTL_… in the environment: docs/operations/from-fleet.md.
\`fleetctl help COMMAND\` says what a command takes. Lists have fleet’s columns; otherwise it is keel.
`;
}

/** What `keel --help` prints. */
export function generalHelp(): string {
  const width = Math.max(...commandTable.map((entry) => entry.name.length));
  const groups = commandGroups.map((group) => {
    const lines = commandTable
      .filter((entry) => entry.group === group && entry.hidden !== true)
      .map((entry) => `  ${entry.name.padEnd(width)}  ${entry.summary}\n`);
    return `${group}\n${lines.join("")}`;
  });
  return `keel: many Linux machines that run like one\n\nUsage: keel COMMAND [options]\n\n${groups.join("\n")}
Everywhere
  --cluster NAME  the local cluster (KEEL_CLUSTER, "default")
  -o FORMAT       text, json or ndjson
  --help          what a command takes
  --endpoint URL, --tunnel HOST and the rest of fleetctl's: docs/operations/from-fleet.md

First steps: keel up, keel list-units, keel why UNIT. Errors: keel explain CODE.
`;
}
