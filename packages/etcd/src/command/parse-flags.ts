// What was asked for: from the command line, as Go's flag package reads it (one dash or two, the last of two equal
// flags counts), and from the environment.

import { FlagError } from "./flag-error.ts";
import { FLAGS, variableOf, type Flag } from "./flag-table.ts";
import { complaint } from "./flag-values.ts";
import { nearestFlag } from "./nearest-flag.ts";

/** Values that were given, as text, by the flag's name. */
export type GivenFlags = ReadonlyMap<string, string>;

export interface CommandLine {
  readonly given: GivenFlags;
  readonly wants: "run" | "help" | "version";
}

/** Reads a command line. Throws FlagError. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const given = new Map<string, string>();
  let wants: CommandLine["wants"] = "run";
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string;
    if (word === "--") {
      if (at + 1 < argv.length) throw new FlagError(`'${argv[at + 1]}' is not a valid flag`);
      break;
    }
    if (!word.startsWith("-") || word === "-") throw new FlagError(`'${word}' is not a valid flag`);
    const [, name, value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) throw new FlagError(`bad flag syntax: ${word}`, true);
    if (name === "help" || name === "h") return { given, wants: "help" };
    if (name === "version") {
      if (isSet(VERSION, value ?? "true")) wants = "version";
      continue;
    }
    const flag = FLAGS.get(name);
    if (flag === undefined) throw unknownFlag(name);
    if (value !== undefined) given.set(name, checked(flag, value));
    else if (flag.kind === "bool") given.set(name, "true");
    else {
      const next = argv[++at];
      if (next === undefined) throw new FlagError(`flag needs an argument: -${name}`, true);
      given.set(name, checked(flag, next));
    }
  }
  return { given, wants };
}

const VERSION: Flag = {
  name: "version",
  group: "Member",
  kind: "bool",
  fallback: "false",
  help: "Print the version.",
  support: "used",
};

export interface EnvironmentFlags {
  readonly given: GivenFlags;
  /** Variables that were used. */
  readonly used: readonly string[];
  /** Variables beginning with ETCD_ that stand for no flag. */
  readonly unknown: readonly string[];
  /** Variables that the command line overrules. */
  readonly overruled: readonly string[];
}

/** Reads the environment; what the command line gives counts more. Throws FlagError. */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  fromCommandLine: GivenFlags,
): EnvironmentFlags {
  const given = new Map<string, string>();
  const used: string[] = [];
  const overruled: string[] = [];
  const names = new Map([...FLAGS.keys()].map((name) => [variableOf(name), name]));
  const unknown: string[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith("ETCD_") || value === undefined) continue;
    const flag = FLAGS.get(names.get(variable) ?? "");
    if (flag === undefined) unknown.push(variable);
    else if (fromCommandLine.has(flag.name)) overruled.push(variable);
    else if (value !== "") {
      const fault = complaint(flag.kind, value);
      if (fault !== undefined)
        throw new FlagError(`invalid value ${JSON.stringify(value)} for ${variable}: ${fault}`);
      given.set(flag.name, value);
      used.push(variable);
    }
  }
  return { given, used, unknown, overruled };
}

/** Throws FlagError for what Keelson's store does not do. The default of such a flag may be given: it asks nothing. */
export function refuseUnsupported(given: GivenFlags): void {
  for (const [name, value] of given) {
    const flag = FLAGS.get(name);
    if (flag === undefined || typeof flag.support === "string" || value === flag.fallback) continue;
    throw new FlagError(`--${name} is not supported by Keelson's store: ${flag.support.refused}`);
  }
}

function checked(flag: Flag, value: string): string {
  const fault = complaint(flag.kind, value);
  if (fault === undefined) return value;
  const text = JSON.stringify(value);
  if (flag.kind === "bool")
    throw new FlagError(`invalid boolean value ${text} for -${flag.name}: ${fault}`, true);
  throw new FlagError(`invalid value ${text} for flag -${flag.name}: ${fault}`, true);
}

function isSet(flag: Flag, value: string): boolean {
  return /^[1tT]/.test(checked(flag, value));
}

function unknownFlag(name: string): FlagError {
  const near = nearestFlag(name);
  const hint = near === undefined ? "" : ` (did you mean --${near}?)`;
  return new FlagError(`flag provided but not defined: -${name}${hint}`, true);
}
