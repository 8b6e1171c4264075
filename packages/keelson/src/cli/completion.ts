// Candidates for the word being typed: commands, options, and the live names of units, machines, operations.
import { commandTable } from "./command-table.ts";
import type { DaemonClient } from "./daemon/client.ts";
import { moveLeadingOptions } from "./leading-options.ts";
import { findCommand } from "./program.ts";

export interface CompletionCandidate {
  readonly value: string;
  readonly description: string;
}

/** What an operand of a command is, so that completion can offer what is there. */
type Operand = "unit" | "machine" | "machine-or-unit" | "operation" | "code" | "image" | "template" | "word";

const operands: Readonly<Record<string, Operand>> = {
  start: "unit",
  load: "unit",
  submit: "unit",
  stop: "unit",
  restart: "unit",
  unload: "unit",
  destroy: "unit",
  update: "unit",
  rollout: "unit",
  rollback: "unit",
  versions: "unit",
  diff: "unit",
  cat: "unit",
  status: "unit",
  journal: "unit",
  why: "machine-or-unit",
  "what-if": "machine-or-unit",
  events: "machine-or-unit",
  timeline: "unit",
  exec: "unit",
  scale: "template",
  ssh: "machine-or-unit",
  machine: "machine",
  undo: "operation",
  op: "operation",
  explain: "code",
  image: "image",
  run: "image",
};

/** How long completion waits for the daemon. A shell that hangs is worse than one that offers less. */
const patienceMs = 700;

/** Candidates for the last of `words`, all starting with it. Never throws: no daemon means no names. */
export async function candidatesFor(
  words: readonly string[],
  keel: { readonly daemon: () => Promise<DaemonClient> },
): Promise<readonly CompletionCandidate[]> {
  const current = words.at(-1) ?? "";
  const typed = words.slice(0, -1);
  if (isValueOf(typed.at(-1))) return startingWith(current, await optionValues(typed.at(-1)));
  const [name, ...before] = moveLeadingOptions(typed);
  const all = name === undefined ? commandCandidates() : await commandArguments(name, before, current, keel);
  return startingWith(current, all);
}

const startingWith = (
  text: string,
  candidates: readonly CompletionCandidate[],
): readonly CompletionCandidate[] => candidates.filter(({ value }) => value.startsWith(text));

function isValueOf(option: string | undefined): boolean {
  return option === "--cluster" || option === "-o" || option === "--output";
}

/** What the options take that every command has. */
async function optionValues(option: string | undefined): Promise<readonly CompletionCandidate[]> {
  if (option !== "--cluster") return ["text", "json", "ndjson"].map((value) => ({ value, description: "" }));
  const { localClusters } = await import("./local-cluster/take-down.ts");
  return (await localClusters().catch(() => [])).map((value) => ({ value, description: "" }));
}

/** The cluster that the typed words name. */
export function clusterIn(words: readonly string[]): string | undefined {
  const typed = words.slice(0, -1);
  const at = typed.indexOf("--cluster");
  const name = at >= 0 ? typed[at + 1] : typed.find((word) => word.startsWith("--cluster="))?.slice(10);
  return name === "" ? undefined : name;
}

function commandCandidates(): readonly CompletionCandidate[] {
  return commandTable
    .filter((entry) => entry.hidden !== true)
    .map((entry) => ({ value: entry.name, description: entry.summary }));
}

async function commandArguments(
  name: string,
  before: readonly string[],
  current: string,
  keel: { readonly daemon: () => Promise<DaemonClient> },
): Promise<readonly CompletionCandidate[]> {
  const entry = findCommand(name);
  if (!entry) return name === "help" ? commandCandidates() : [];
  const { fullParser } = await import("./parser.ts");
  const top = (await fullParser([entry])).commands[0];
  if (!top) return [];
  const [below] = moveLeadingOptions(before);
  const sub = top.commands.find((command) => command.name() === below);
  const command = sub ?? top;
  if (current.startsWith("-")) {
    return command.options
      .filter((option) => !option.hidden)
      .map((option) => ({ value: option.long ?? option.short ?? "", description: option.description }));
  }
  if (!sub && top.commands.length > 0) {
    const below = top.commands.map((one) => ({ value: one.name(), description: one.description() }));
    if (top.registeredArguments.length === 0) return below;
    return [
      ...(before.length === 0 ? below : []),
      ...(await liveNames(operands[entry.name] ?? "word", keel)),
    ];
  }
  if (entry.name === "completion")
    return ["bash", "zsh", "fish"].map((value) => ({ value, description: "" }));
  const operand = operands[entry.name] ?? "word";
  return liveNames(
    operand === "unit" && sub?.registeredArguments[0]?.name() === "machine" ? "machine" : operand,
    keel,
  );
}

async function liveNames(
  operand: Operand,
  keel: { readonly daemon: () => Promise<DaemonClient> },
): Promise<readonly CompletionCandidate[]> {
  if (operand === "word") return [];
  if (operand === "code") {
    const { errorCatalogue } = await import("../base/error-catalogue.ts");
    return Object.entries(errorCatalogue).map(([value, entry]) => ({ value, description: entry.title }));
  }
  try {
    const client = (await keel.daemon()).within(patienceMs);
    if (operand === "operation") {
      return (await client.operations()).map((operation) => ({
        value: operation.id,
        description: operation.summary,
      }));
    }
    if (operand === "image")
      return (await client.images.list()).map((image) => ({ value: image.name, description: "" }));
    const snapshot = await client.snapshot();
    const machines = snapshot.machines.map((machine) => ({
      value: machine.name,
      description: machine.address,
    }));
    if (operand === "machine") return machines;
    const names = new Map(snapshot.units.map((unit) => [unit.name, unit.state as string]));
    if (operand === "unit" || operand === "machine-or-unit") {
      for (const instance of snapshot.instances) names.set(instance.name, instance.state);
    }
    const units = [...names]
      .filter(([name]) => operand !== "template" || name.includes("@."))
      .map(([value, description]) => ({ value, description }));
    return operand === "machine-or-unit" ? [...machines, ...units] : units;
  } catch {
    return [];
  }
}
