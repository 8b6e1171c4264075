// From argv to an exit code: finds the command, loads it alone, and turns what it throws into words.
// Nothing here knows a particular command, and the general help needs none of them.
import { KeelError, exitCode } from "../base/errors.ts";
import { commandAliases, commandGroups, commandTable } from "./command-table.ts";
import type { CommandEntry } from "./command-table.ts";
import { parseFormat } from "./invocation.ts";
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
    return await dispatch(moveLeadingOptions(argv), terminal, abort.signal);
  } catch (error) {
    const known = abort.signal.aborted && !(error instanceof Interrupted) ? abort.signal.reason : error;
    return reportError(terminal, formatOf(argv), known);
  } finally {
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "-h" || name === "--help" || (name === "help" && rest.length === 0)) {
    terminal.out(generalHelp());
    return exitCode.done;
  }
  if (name === "help") return dispatch([...rest, "--help"], terminal, signal);
  if (name === "-V" || name === "--version") return dispatch(["version", ...rest], terminal, signal);
  const entry = findCommand(name);
  if (!entry) throw await unknownCommand(name);
  const { runCommand } = await import("./parser.ts");
  return runCommand(entry, rest, terminal, signal);
}

/** The command of this name or alias. */
export function findCommand(name: string): CommandEntry | undefined {
  const real = Object.hasOwn(commandAliases, name) ? commandAliases[name] : name;
  return commandTable.find((entry) => entry.name === real);
}

async function unknownCommand(name: string): Promise<KeelError> {
  if (name.startsWith("-"))
    return new KeelError("KEEL-104", `unknown option ${name}`, { hint: "keel --help" });
  const { nearest } = await import("@keelson/systemd");
  const near = nearest(name, [...commandTable.map((entry) => entry.name), ...Object.keys(commandAliases)]);
  const hint = near === undefined ? "keel --help lists the commands" : `did you mean \`keel ${near}\`?`;
  return new KeelError("KEEL-104", `there is no command "${name}"`, { hint });
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

First steps: keel up, keel list-units, keel why UNIT. Errors: keel explain CODE.
`;
}
