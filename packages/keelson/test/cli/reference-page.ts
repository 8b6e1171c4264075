// Writes docs/operations/commands.md from the commands themselves. Run it after changing a command.
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { exitCode } from "../../src/base/errors.ts";
import { commandAliases, commandGroups, commandTable } from "../../src/cli/command-table.ts";
import { connectionFlags } from "../../src/cli/connection.ts";
import { fullParser } from "../../src/cli/parser.ts";

export const referencePath = join(resolve(import.meta.dirname, "../../../.."), "docs/operations/commands.md");

const exitMeanings: Readonly<Record<keyof typeof exitCode, string>> = {
  done: "done, or nothing to do",
  failed: "failed",
  usage: "wrong use: an unknown option, a file that cannot be read as a unit",
  planHasChanges: "the plan has changes (only with `--detailed-exitcode`)",
  refused: "refused by a guard; the message says what it would take",
  timedOut: "timed out; what was asked for goes on, and the message names the operation",
  partly: "done in part; the message names the operation and how to take it back",
  notFound: "there is no such unit, machine, operation or image",
  conflict: "conflict: other content, a state that moved, another command at work",
  unreachable: "no daemon or no store answers",
};

const introduction = `# Commands

\`keel COMMAND --help\` prints the same. This page is made from the commands by \`node packages/keelson/test/cli/reference-page.ts\`, and a test compares.

## Everywhere
- **Which cluster**: \`--cluster NAME\`, or \`KEEL_CLUSTER\`, or \`default\`. \`KEEL_ENDPOINT\` names a daemon directly: \`unix:/run/keelson/api.sock\` on a machine, or \`http://host:port\` to look and not touch.
- **For programs**: \`-o json\` prints one document, \`-o ndjson\` one a line (\`journal\` prints a line for each entry with both). Each begins with \`"version": 1\`; the number grows when a field changes its meaning or goes. Errors are JSON too, on stderr.
- **Streams**: data on stdout, everything else on stderr. Colour only on a terminal, and not with \`NO_COLOR\`. Questions only on a terminal, and not with \`--yes\`.
- **Waiting**: changes wait for their outcome, 60 s unless \`--timeout\` says otherwise. \`--no-wait\` (or fleetctl's \`--no-block\`) does not wait.
- **fleetctl**: every command and option of fleetctl is here, its environment too: [from-fleet.md](from-fleet.md). \`keel fleetctl COMMAND\`, or a link to \`keel\` by the name of \`fleetctl\`, prints lists with fleet's columns.
- **Undo**: each change that can be taken back prints the line that does it.
- **Names**: identities of machines and operations may be shortened as long as they stay unique. Units may be named without their suffix; \`web@\` is a template, \`web@2\` an instance. Patterns go in quotes: \`'web@*'\`.
- **A unit or a file**: \`submit\`, \`load\` and \`start\` look for the cluster's unit, then for a local file, then for a template of the cluster, then for a template file beside the path, as fleetctl does. A word with a slash is always a file.
`;

export async function renderReference(): Promise<string> {
  const program = await fullParser(commandTable);
  const exits = Object.entries(exitCode).map(
    ([name, code]) => `| ${code} | ${exitMeanings[name as keyof typeof exitCode]} |\n`,
  );
  const groups = commandGroups.map((group) => {
    const entries = commandTable.filter((entry) => entry.group === group && entry.hidden !== true);
    const commands = entries.flatMap(({ name }) => program.commands.filter((it) => it.name() === name));
    return `\n## ${group}\n${commands.map(commandText).join("")}`;
  });
  const aliases = Object.entries(commandAliases).map(([alias, name]) => `\`${alias}\` is \`${name}\``);
  return `${introduction}\n### How to get there\nOn every command, before or behind its name. The environment has each as \`FLEETCTL_\` and its name in capitals; \`--cluster\`, \`KEEL_CLUSTER\` and \`KEEL_ENDPOINT\` go before \`FLEETCTL_ENDPOINT\` and \`FLEETCTL_TUNNEL\`.\n\n| option | |\n|---|---|\n${connectionTable()}\n### Exit codes\n| code | meaning |\n|---|---|\n${exits.join("")}\n\`ssh\` and \`exec\` end with the exit code of what they ran. Errors have codes of their own: \`keel explain CODE\`, [errors.md](../errors.md).\n${groups.join("")}\n## Other names\n${aliases.join(", ")}.\n`;
}

const connectionTable = (): string =>
  connectionFlags.map(({ syntax, says }) => `| \`${syntax}\` | ${says} |\n`).join("");

function commandText(command: Command): string {
  if (command.commands.length === 0) return `\n### ${command.name()}\n${body(command, command.name())}`;
  const inner = command.commands.map(
    (sub) => `\n#### ${command.name()} ${sub.name()}\n${body(sub, `${command.name()} ${sub.name()}`)}`,
  );
  // Some do something of their own beside what is below them.
  const own =
    command.registeredArguments.length > 0 ? body(command, command.name()) : `${command.description()}\n`;
  return `\n### ${command.name()}\n${own}${inner.join("")}`;
}

function body(command: Command, name: string): string {
  const operands = command.registeredArguments.map((argument) => {
    const word = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${word}>` : `[${word}]`;
  });
  const options = command.options.filter(
    (it) => !it.hidden && it.long !== "--cluster" && it.long !== "--output",
  );
  const rows = [
    ...command.registeredArguments.map((it) => [it.name(), it.description]),
    ...options.map((it) => [it.flags, it.description]),
  ].map(([flags, description]) => `| \`${flags}\` | ${description?.replaceAll("|", "\\|")} |\n`);
  const usage = ["keel", name, ...operands, ...(options.length === 0 ? [] : ["[options]"])].join(" ");
  const table = rows.length === 0 ? "" : `\n| | |\n|---|---|\n${rows.join("")}`;
  return `\`${usage}\`\n\n${command.description()}\n${table}`;
}

if (import.meta.main) writeFileSync(referencePath, await renderReference());
