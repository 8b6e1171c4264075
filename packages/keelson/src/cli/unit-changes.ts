// What `submit`, `load` and `start` share: files and names go in, units in a desired state come out.
import type { Command } from "commander";
import { KeelError, exitCode } from "../base/errors.ts";
import type { ExitCode } from "../base/errors.ts";
import type { DesiredState } from "../model/unit.ts";
import type { Intent } from "../model/operation.ts";
import { change } from "./change.ts";
import type { ChangeOptions } from "./change.ts";
import type { Invocation } from "./invocation.ts";
import { withGuards, withWait } from "./options.ts";
import { resolveWithFiles } from "./unit-arguments.ts";

export interface SubmitOptions extends ChangeOptions {
  readonly replace?: boolean;
  readonly replicas?: string;
}

/** The options of commands that take unit files. */
export function withFiles(command: Command): Command {
  command
    .argument("<units...>", "unit files, or units and instances of the cluster")
    .option("--replace", "put a file in the place of the cluster’s unit with other content")
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
  const client = await keel.daemon();
  const replace = options.replace === true;
  const replicas = options.replicas === undefined ? undefined : parseReplicas(options.replicas);
  const { files, existing, warnings } = await resolveWithFiles(words, await client.snapshot(), {
    cwd: keel.terminal.cwd,
    replace,
    unitFile: (name) => client.unitFile(name),
  });
  for (const warning of warnings) keel.progress.note(`warning: ${warning}`);
  const intents: Intent[] = [];
  if (files.length > 0) {
    const bodies = files.map(({ name, bytes }) => ({ name, body: Buffer.from(bytes).toString("base64") }));
    intents.push({
      kind: "submit",
      files: bodies,
      desired,
      replace,
      ...(replicas === undefined ? {} : { replicas }),
    });
  }
  if (existing.length > 0) {
    if (replicas === undefined)
      intents.push({ kind: "set-desired", units: { names: [...existing] }, desired });
    else intents.push(...existing.map((unit): Intent => ({ kind: "scale", unit, replicas })));
  }
  return inTurn(keel, intents, options);
}

/** Several changes one after the other; the worst exit code. */
async function inTurn(
  keel: Invocation,
  intents: readonly Intent[],
  options: ChangeOptions,
): Promise<ExitCode> {
  let worst: ExitCode = exitCode.done;
  for (const intent of intents) {
    const code = await change(keel, intent, options);
    if (code !== exitCode.done) worst = code;
  }
  return worst;
}

/** A number of replicas. Throws KEEL-104. */
export function parseReplicas(text: string): number {
  const replicas = Number(text);
  if (/^\d+$/.test(text) && replicas <= 10_000) return replicas;
  throw new KeelError("KEEL-104", `"${text}" is no number of replicas`, {
    hint: "a whole number from 0 to 10000",
  });
}
