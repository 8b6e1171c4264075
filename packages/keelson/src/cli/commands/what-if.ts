import type { Command } from "commander";
import { parseSize, SystemdError } from "@keelson/systemd";
import { KeelError, exitCode } from "../../base/errors.ts";
import type { AskedSupposition } from "../daemon/client.ts";
import type { Act, Invocation, Register } from "../invocation.ts";
import { resolveUnits, resolveWithFiles } from "../unit-arguments.ts";
import { intentsFor, parseReplicas } from "../unit-changes.ts";
import { whatIfText } from "../what-if-text.ts";

export const register: Register = (program, act) => {
  const group = program
    .command("what-if")
    .description("Foretell which units would move where, and which would fit nowhere. Nothing is changed.");
  registerLose(group.command("lose"), act);
  registerDrain(group.command("drain"), act);
  registerAdd(group.command("add"), act);
  registerScale(group.command("scale"), act);
  registerStart(group.command("start"), act);
};

function registerLose(command: Command, act: Act): void {
  command.argument("<machines...>", "machines that fail at the same moment").description("Machines fail.");
  act(command, (keel, machines) => foretell(keel, { lose: machines }));
}

function registerDrain(command: Command, act: Act): void {
  command.argument("<machine>", "the machine that is emptied").description("A machine is drained.");
  act(command, (keel, [machine = ""]) => foretell(keel, { intent: { kind: "drain", machine, reason: "" } }));
}

interface AddOptions {
  readonly memory?: string;
  readonly cpus?: string;
  readonly metadata?: readonly string[];
  readonly count?: string;
}

function registerAdd(command: Command, act: Act): void {
  command
    .option("--memory <size>", "its memory, as 4G (that of the smallest machine)")
    .option("--cpus <number>", "its processors (those of the smallest machine)")
    .option("--metadata <key=value...>", "its metadata")
    .option("--count <number>", "how many such machines (1)")
    .description("Machines are added.");
  act<AddOptions>(command, (keel, _words, { memory, cpus, metadata = [], count }) =>
    foretell(keel, {
      add: {
        ...(memory === undefined ? {} : { memoryBytes: parseMemory(memory) }),
        ...(cpus === undefined ? {} : { cpus: parseNumber(cpus, "--cpus") }),
        ...(count === undefined ? {} : { count: parseNumber(count, "--count") }),
        metadata: parseMetadata(metadata),
      },
    }),
  );
}

function registerScale(command: Command, act: Act): void {
  command
    .argument("<template>", "web@ or web@.container")
    .argument("<replicas>", "how many instances")
    .description("A template is scaled.");
  act(command, async (keel, [word = "", number = ""]) => {
    const [unit = word] = resolveUnits([word], await (await keel.daemon()).snapshot());
    return foretell(keel, { intent: { kind: "scale", unit, replicas: parseReplicas(number) } });
  });
}

interface StartOptions {
  readonly replace?: boolean;
  readonly replicas?: string;
}

function registerStart(command: Command, act: Act): void {
  command
    .argument("<units...>", "unit files, or units of the cluster")
    .option("--replace", "put a file in the place of the cluster’s unit with other content")
    .option("-n, --replicas <number>", "of a template: how many instances")
    .description("Units are started.");
  act<StartOptions>(command, async (keel, words, { replace = false, replicas }) => {
    const client = await keel.daemon();
    const snapshot = await client.snapshot();
    const unitFile = (name: string): Promise<Uint8Array> => client.unitFile(name);
    const place = { cwd: keel.terminal.cwd, replace, unitFile };
    const found = await resolveWithFiles(words, snapshot, place);
    for (const warning of found.warnings) keel.progress.note(`warning: ${warning}`);
    const wish = { replace, replicas: replicas === undefined ? undefined : parseReplicas(replicas) };
    const [intent, second] = await intentsFor(found, { snapshot, unitFile, desired: "launched", ...wish });
    if (intent === undefined || second !== undefined)
      throw new KeelError("KEEL-104", `${words.join(" ")} cannot be started in one step`, {
        hint: "Ask about one of them at a time.",
      });
    return foretell(keel, { intent });
  });
}

/** Exit code 3 when something would have no place. */
async function foretell(keel: Invocation, supposed: AskedSupposition): Promise<number> {
  const outcome = await (await keel.daemon()).whatIf(supposed);
  keel.output.document({ ...outcome }, () => whatIfText(outcome, keel.paint));
  return outcome.fits ? exitCode.done : exitCode.planHasChanges;
}

function parseMemory(text: string): number {
  try {
    const bytes = parseSize(text);
    if (Number.isSafeInteger(bytes)) return bytes;
  } catch (error) {
    if (!(error instanceof SystemdError)) throw error;
  }
  throw new KeelError("KEEL-104", `--memory ${text} is no size`, { hint: "--memory 4G" });
}

function parseNumber(text: string, option: string): number {
  if (/^\d{1,5}(\.\d{1,3})?$/.test(text)) return Number(text);
  throw new KeelError("KEEL-104", `${option} ${text} is no number`, { hint: `${option} 4` });
}

function parseMetadata(words: readonly string[]): Record<string, string> {
  const pairs = words
    .flatMap((word) => word.split(","))
    .map((word): [string, string] => {
      const at = word.indexOf("=");
      if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
      throw new KeelError("KEEL-104", `--metadata ${word} has no value`, { hint: "--metadata zone=a" });
    });
  return Object.fromEntries(pairs);
}
