// submit: reads every file before anything else happens. Same content is no change; other content in the
// place of a unit needs `replace`. Submitting lowers what is desired of a unit only when it says `exactly`.
import { createHash } from "node:crypto";
import { lintQuadlet, UnitFile } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";
import type { Change, Intent } from "../model/operation.ts";
import { type PlacementRules, readPlacement } from "../model/placement/read-placement.ts";
import { type DesiredState, desiredStates, maxBodyBytes, type Unit } from "../model/unit.ts";
import { unenforcedLimits } from "../model/placement/rules.ts";
import { compareNames, isTemplate, readUnitName } from "../model/unit-name.ts";
import { refuseTemplate, withDesired } from "./desired-state.ts";
import { changed, type Draft, listNames, type PlanInput } from "./draft.ts";

type Submit = Extract<Intent, { kind: "submit" }>;

interface SubmittedFile {
  readonly name: string;
  readonly text: string;
  readonly hash: string;
  readonly rules: PlacementRules;
}

/**
 * @throws KeelError KEEL-101, KEEL-102, KEEL-103 for a file; KEEL-104 for the request; KEEL-105 for a template that
 * is to start without replicas; KEEL-505 for other content without `replace`; KEEL-605 for a file that is too large
 */
export function planSubmit(intent: Submit, input: PlanInput): Draft {
  const files = intent.files.map(readFile);
  refuseRepetition(files);
  if (intent.replicas !== undefined && !files.some(({ name }) => isTemplate(name))) {
    throw new KeelError("KEEL-104", "replicas: none of the files is a template.");
  }
  refuseOtherContent(intent, files, input);
  const changes: Change[] = [];
  const unchanged: string[] = [];
  const bodies = new Map<string, string>();
  for (const file of files) {
    const before = input.snapshot.units.get(file.name);
    const after = before ? replaced(before, file, { intent, input }) : created(file, { intent, input });
    if (after === undefined) {
      unchanged.push(file.name);
      continue;
    }
    if (after.desired === "launched" && intent.desired === "launched") refuseEmptyTemplate(after, intent);
    changes.push({ unit: file.name, ...(before && { before }), after });
    bodies.set(file.hash, file.text);
  }
  const names = files.map(({ name }) => name);
  const verb = changes.length > 0 && changes.every(isUpdate) ? "update" : verbs[intent.desired];
  const summary = `${verb} ${listNames(names)}`;
  return { changes, unchanged, bodies, summary, notes: files.flatMap((file) => notesOn(file, files, input)) };
}

/** New content, and nothing else that people would see. */
const isUpdate = ({ before, after }: Change): boolean =>
  before !== undefined && before.hash !== after?.hash && before.desired === after?.desired;

const verbs: Readonly<Record<DesiredState, string>> = {
  inactive: "submit",
  loaded: "load",
  launched: "start",
};

function readFile({ name, body }: Submit["files"][number]): SubmittedFile {
  const { kind } = readUnitName(name);
  const bytes = Buffer.from(body, "base64");
  if (bytes.toString("base64").replace(/=+$/, "") !== body.replace(/=+$/, "")) {
    throw new KeelError("KEEL-104", `files: the body of ${name} is not base64.`);
  }
  if (bytes.length > maxBodyBytes) {
    throw new KeelError(
      "KEEL-605",
      `${name} has ${bytes.length} bytes; a unit file may have ${maxBodyBytes}.`,
    );
  }
  const rules = readPlacement(name, bytes);
  if (kind === "instance" && rules.replicas !== undefined) {
    throw new KeelError("KEEL-102", `${name}: Replicas= is for templates, and this is an instance.`, {
      details: { file: name },
    });
  }
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  return { name, text, hash: createHash("sha256").update(bytes).digest("hex"), rules };
}

function refuseRepetition(files: readonly SubmittedFile[]): void {
  const names = new Set<string>();
  for (const { name } of files) {
    if (names.has(name)) throw new KeelError("KEEL-104", `files: ${name} is given twice.`);
    names.add(name);
  }
}

function refuseOtherContent(intent: Submit, files: readonly SubmittedFile[], { snapshot }: PlanInput): void {
  if (intent.replace) return;
  const other = files.filter(({ name, hash }) => (snapshot.units.get(name)?.hash ?? hash) !== hash);
  if (other.length === 0) return;
  const names = other.map(({ name }) => name);
  throw new KeelError("KEEL-505", `The cluster has other content for ${listNames(names)}.`, {
    hint: "keel cat UNIT shows what is there; --replace puts the new content in its place.",
    details: { units: names },
  });
}

interface Submission {
  readonly intent: Submit;
  readonly input: PlanInput;
}

function created(file: SubmittedFile, { intent, input }: Submission): Unit {
  const { nowMs, who } = input.context;
  return {
    name: file.name,
    desired: intent.desired,
    hash: file.hash,
    replicas: isTemplate(file.name) ? (intent.replicas ?? file.rules.replicas ?? 0) : 0,
    restarts: 0,
    generation: 1,
    owner: file.rules.owner ?? who,
    created: nowMs,
    changed: nowMs,
  };
}

function replaced(unit: Unit, file: SubmittedFile, { intent, input }: Submission): Unit | undefined {
  const isNew = unit.hash !== file.hash;
  const desired = intent.exactly === true ? intent.desired : higher(unit.desired, intent.desired);
  const wanted = intent.replicas ?? (isNew ? file.rules.replicas : undefined) ?? unit.replicas;
  const replicas = isTemplate(file.name) ? wanted : 0;
  const owner = isNew ? (file.rules.owner ?? unit.owner) : unit.owner;
  // New content starts what has failed anew by itself, when its turn in the rollout comes.
  const startsAnew = isNew && unit.desired === "launched";
  const asked =
    intent.desired === "launched" && !startsAnew ? withDesired(unit, desired, input) : { desired };
  const after = { ...unit, ...asked, hash: file.hash, replicas, owner };
  const isSame = (Object.keys(after) as (keyof Unit)[]).every((key) => after[key] === unit[key]);
  return isSame ? undefined : changed(unit, after, input.context.nowMs);
}

const higher = (one: DesiredState, other: DesiredState): DesiredState =>
  desiredStates.indexOf(one) >= desiredStates.indexOf(other) ? one : other;

function refuseEmptyTemplate({ name, replicas }: Unit, intent: Submit): void {
  if (isTemplate(name) && replicas === 0 && intent.replicas === undefined) refuseTemplate(name);
}

/** Limits that some machine's kernel does not hold. */
function limitNotes({ name, rules }: SubmittedFile, { machines }: PlanInput["snapshot"]): string[] {
  const byLimits = new Map<string, string[]>();
  for (const machine of machines.values()) {
    const limits = unenforcedLimits(rules, machine.capacity).join(", ");
    if (limits !== "") byLimits.set(limits, [...(byLimits.get(limits) ?? []), machine.name]);
  }
  return [...byLimits].map(([limits, names]) => {
    const who = names.length === machines.size ? "no machine" : listNames(names.sort(compareNames));
    const verb =
      names.length === machines.size
        ? "enforces"
        : names.length === 1
          ? "does not enforce"
          : "do not enforce";
    return `${name}: ${who} ${verb} its limits on ${limits}`;
  });
}

function notesOn(file: SubmittedFile, files: readonly SubmittedFile[], { snapshot }: PlanInput): string[] {
  const isKnown = (name: string): boolean =>
    snapshot.units.has(name) || files.some((one) => one.name === name);
  const { references, pod, machineOf, afterUnits, requiresUnits } = file.rules;
  const missing = [...references, ...(pod === undefined ? [] : [pod])].filter((name) => !isKnown(name));
  const peers = [...new Set([...machineOf, ...requiresUnits, ...afterUnits])].filter(
    (name) => !isKnown(name) && !isKnown(name.replace(/@.*(?=\.)/, "@")),
  );
  return [
    ...limitNotes(file, snapshot),
    ...missing.map((name) => `${file.name} refers to ${name}, which the cluster does not have`),
    ...peers.map((name) => `${file.name} waits for ${name}, which the cluster does not have`),
    ...lintQuadlet(file.name, UnitFile.parse(file.text)).map(
      ({ message, position }) => `${file.name}:${position.line}:${position.column}: ${message}`,
    ),
  ];
}
