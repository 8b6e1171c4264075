// What `submit`, `load` and `start` share: files and names go in, units in a desired state come out.
import { Option } from "commander";
import type { Command } from "commander";
import type { SnapshotView } from "../api/wire/snapshot.ts";
import { KeelError, exitCode } from "../base/errors.ts";
import type { ExitCode } from "../base/errors.ts";
import { templateName } from "../model/unit-name.ts";
import { desiredStates } from "../model/unit.ts";
import type { DesiredState } from "../model/unit.ts";
import type { Intent } from "../model/operation.ts";
import { change } from "./change.ts";
import type { ChangeOptions } from "./change.ts";
import type { Invocation } from "./invocation.ts";
import { withGuards, withWait } from "./options.ts";
import { resolveWithFiles } from "./unit-arguments.ts";
import type { ResolvedArguments } from "./unit-arguments.ts";

export interface SubmitOptions extends ChangeOptions {
  readonly replace?: boolean;
  readonly replicas?: string;
  readonly sign?: boolean;
}

/** The options of commands that take unit files. */
export function withFiles(command: Command): Command {
  command
    .argument("<units...>", "unit files, or units and instances of the cluster")
    .option("--replace", "put a file in the place of the cluster’s unit with other content")
    .addOption(new Option("--sign", "refused: units are not signed").hideHelp())
    .option("-n, --replicas <number>", "of a template: how many instances");
  return withGuards(withWait(command));
}

/** Brings the named files and units into the desired state. Throws KEEL-501 before anything is changed. */
export async function bringTo(
  keel: Invocation,
  words: readonly string[],
  options: SubmitOptions,
  desired: DesiredState,
): Promise<ExitCode> {
  if (options.sign === true)
    throw new KeelError("KEEL-584", "--sign: units are not signed, and fleet had given it up", {
      hint: "leave it out",
    });
  const client = await keel.daemon();
  const snapshot = await client.snapshot();
  const replicas = options.replicas === undefined ? undefined : parseReplicas(options.replicas);
  const asked = await resolveWithFiles(words, snapshot, {
    cwd: keel.terminal.cwd,
    replace: options.replace === true,
    unitFile: (name) => client.unitFile(name),
    pathsAreNames: keel.style === "fleetctl",
  });
  const found = keel.style === "fleetctl" ? withoutHigher(asked, snapshot, desired) : asked;
  for (const warning of found.warnings) keel.progress.note(`warning: ${warning}`);
  const unitFile = (name: string): Promise<Uint8Array> => client.unitFile(name);
  const replace = options.replace === true;
  const intents = await intentsFor(found, { snapshot, unitFile, desired, replace, replicas });
  if (intents.length === 0) {
    keel.output.document({ operation: null, outcome: "succeeded", items: [] }, () =>
      nothingText(found.existing, desired),
    );
  }
  let worst: ExitCode = exitCode.done;
  for (const intent of intents) worst = Math.max(worst, await change(keel, intent, options)) as ExitCode;
  return worst;
}

/** As fleetctl: `submit --replace` leaves alone what is loaded or started, `load --replace` what is started. */
function withoutHigher(
  found: ResolvedArguments,
  { units }: SnapshotView,
  desired: DesiredState,
): ResolvedArguments {
  const states = new Map(units.map((unit) => [unit.name, unit.desired]));
  const isHigher = ({ name }: { readonly name: string }): boolean =>
    desiredStates.indexOf(states.get(name) ?? "inactive") > desiredStates.indexOf(desired);
  const left = found.files.filter(isHigher);
  if (left.length === 0) return found;
  return {
    files: found.files.filter((file) => !isHigher(file)),
    existing: [...found.existing, ...left.map(({ name }) => name)],
    warnings: [
      ...found.warnings,
      ...left.map(
        ({ name }) => `${name} is ${states.get(name)}, and is not replaced: \`start --replace\` does that`,
      ),
    ],
  };
}

export interface Wish {
  readonly snapshot: SnapshotView;
  readonly unitFile: (name: string) => Promise<Uint8Array>;
  readonly desired: DesiredState;
  readonly replace: boolean;
  readonly replicas: number | undefined;
}

/** What to ask for so that files and units get into the desired state: nothing, one change, or several. */
export async function intentsFor(found: ResolvedArguments, wish: Wish): Promise<readonly Intent[]> {
  const { snapshot, unitFile, desired, replace, replicas } = wish;
  const files = found.files.map(({ name, bytes }) => fileOf(name, bytes));
  const records = new Map(snapshot.units.map((unit) => [unit.name, unit.desired]));
  const isThere = (name: string): boolean =>
    records.has(name) || snapshot.instances.some((instance) => instance.name === name);
  // Handing in an instance of the cluster's template makes a unit of it, as fleetctl did.
  const fresh = desired === "inactive" ? found.existing.filter((name) => !isThere(name)) : [];
  for (const name of fresh) files.push(fileOf(name, await unitFile(templateName(name) ?? name)));
  const others = found.existing.filter((name) => !fresh.includes(name));
  // A replica is what its template is.
  const stateOf = (name: string): DesiredState | undefined =>
    records.get(name) ?? (isThere(name) ? records.get(templateName(name) ?? "") : undefined);
  const lower = others.filter((name) => !isAtLeast(stateOf(name), desired));
  // One change when all of it can be one: what has a record of its own goes in with its own file.
  const together = files.length > 0 && desired === "launched" && lower.every((name) => records.has(name));
  if (together) for (const name of lower) files.push(fileOf(name, await unitFile(name)));
  return [
    ...submitIntent(files, desired, { replace, replicas }),
    ...(together ? [] : existingIntents(lower, desired, replicas)),
  ];
}

type File = Extract<Intent, { kind: "submit" }>["files"][number];

function fileOf(name: string, bytes: Uint8Array): File {
  return { name, body: Buffer.from(bytes).toString("base64") };
}

function submitIntent(
  files: File[],
  desired: DesiredState,
  { replace, replicas }: { readonly replace: boolean; readonly replicas: number | undefined },
): Intent[] {
  if (files.length === 0) return [];
  return [{ kind: "submit", files, desired, replace, ...(replicas === undefined ? {} : { replicas }) }];
}

function existingIntents(
  names: readonly string[],
  desired: DesiredState,
  replicas: number | undefined,
): readonly Intent[] {
  if (names.length === 0) return [];
  if (replicas === undefined) return [{ kind: "set-desired", units: { names: [...names] }, desired }];
  return names.map((unit) => ({ kind: "scale", unit, replicas }));
}

/** Handing in and loading never stop what runs; starting is always asked for, as what runs may have failed. */
function isAtLeast(now: DesiredState | undefined, wanted: DesiredState): boolean {
  if (now === undefined || wanted === "launched") return false;
  return desiredStates.indexOf(now) >= desiredStates.indexOf(wanted);
}

function nothingText(names: readonly string[], desired: DesiredState): string {
  return `${names.join(", ")}: ${desired === "inactive" ? "the cluster has it" : "loaded or started already"}\n`;
}

/** A number of replicas. Throws KEEL-104. */
export function parseReplicas(text: string): number {
  const replicas = Number(text);
  if (/^\d+$/.test(text) && replicas <= 10_000) return replicas;
  throw new KeelError("KEEL-104", `"${text}" is no number of replicas`, {
    hint: "a whole number from 0 to 10000",
  });
}
