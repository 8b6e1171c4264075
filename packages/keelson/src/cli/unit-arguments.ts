// What a person calls a unit, turned into what the cluster calls it, in fleet's order: the cluster's unit,
// a local file, a template of the cluster, a template file beside the path.
import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { nearest } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";
import { isPattern, parseGlob } from "../model/glob.ts";
import { runnableTypes, templateName } from "../model/unit-name.ts";
import { maxBodyBytes } from "../model/unit.ts";
import { naturally, stemOf } from "./unit-filter.ts";

/** The names that the cluster holds. */
export interface KnownNames {
  readonly units: readonly { readonly name: string }[];
  readonly instances: readonly { readonly name: string }[];
}

export interface UnitFileToSubmit {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Where it came from, in words. */
  readonly from: string;
}

export interface ResolvedArguments {
  readonly files: readonly UnitFileToSubmit[];
  /** Units and instances that the cluster has already. */
  readonly existing: readonly string[];
  /** What a person should know: a local file that was passed over. */
  readonly warnings: readonly string[];
}

/** True when the word ends with the type of a unit. */
export function hasUnitSuffix(word: string): boolean {
  return runnableTypes.includes(/\.([a-z]+)$/.exec(word)?.[1] ?? "");
}

/**
 * Names of units and instances that the words mean: exact, without suffix (`.service` first, as fleetctl, or
 * else the only type there is), or a pattern. Throws KEEL-501 for a word that means none or several.
 */
export function resolveUnits(words: readonly string[], known: KnownNames): readonly string[] {
  const names = allNames(known);
  const found = words.flatMap((word) => {
    if (isPattern(word)) {
      const glob = parseGlob(word);
      const matching = names.filter(
        (name) => glob?.matches(name) === true || glob?.matches(stemOf(name)) === true,
      );
      if (matching.length === 0) throw noUnit(word, names);
      return matching;
    }
    const name = lookUp(word, names);
    if (name === undefined) throw noUnit(word, names);
    return [name];
  });
  return [...new Set(found)];
}

/** The name of the unit whose record a word means: an instance of a template means the template. Throws KEEL-501. */
export function recordName(word: string, known: KnownNames): string {
  const names = new Set(known.units.map(({ name }) => name));
  const [name = word] = resolveUnits([word], known);
  return names.has(name) ? name : (templateName(name) ?? name);
}

/** What to send for words that may also be files. Reads the files; throws KEEL-501 for a word that is nothing. */
export async function resolveWithFiles(
  words: readonly string[],
  known: KnownNames,
  place: {
    readonly cwd: string;
    /** The file wins over the cluster's unit. */
    readonly replace: boolean;
    /** The cluster's unit file, for templates and comparisons. */
    readonly unitFile: (name: string) => Promise<Uint8Array>;
    /** A path means the cluster's unit of its last part first, as fleetctl had it, and not the file. */
    readonly pathsAreNames?: boolean;
  },
): Promise<ResolvedArguments> {
  const names = allNames(known);
  const files: UnitFileToSubmit[] = [];
  const existing: string[] = [];
  const warnings: string[] = [];
  for (const word of words) {
    const isPath = word.includes("/");
    const name = isPath && place.pathsAreNames === true ? basename(word) : word;
    const file = await findFile(resolve(place.cwd, word));
    // What the cluster could make of its template comes after a file of that name.
    const among = file === undefined ? lookUp : lookUpKnown;
    const registered =
      isPath && place.pathsAreNames !== true
        ? undefined
        : isPattern(name)
          ? resolveUnits([name], known)
          : among(name, names);
    if (registered !== undefined && !(file && place.replace)) {
      existing.push(...(typeof registered === "string" ? [registered] : registered));
      if (file && typeof registered === "string" && known.units.some((unit) => unit.name === registered)) {
        const same = Buffer.compare(file.bytes, await place.unitFile(registered)) === 0;
        if (!same)
          warnings.push(
            `${file.from} differs from the cluster's ${registered}, which is used; --replace puts the file in its place`,
          );
      }
    } else if (file) files.push(file);
    else files.push(await fromTemplate(word, names, place.cwd));
  }
  return { files, existing: [...new Set(existing)], warnings };
}

/** `web@3.container` made from `web@.container` beside the path. */
async function fromTemplate(word: string, names: readonly string[], cwd: string): Promise<UnitFileToSubmit> {
  const path = resolve(cwd, word);
  const name = basename(path);
  const template = templateName(name);
  const source = template === undefined ? undefined : join(dirname(path), template);
  const bytes = source === undefined ? undefined : await readUnitFile(source);
  if (source !== undefined && bytes !== undefined) return { name, bytes, from: source };
  if (!word.includes("/")) throw noUnit(name, names);
  throw new KeelError("KEEL-501", `there is no file ${word}`, { hint: `ls ${dirname(word)}` });
}

/** The file at the path, or with the one suffix of a unit that makes it a file. */
async function findFile(path: string): Promise<UnitFileToSubmit | undefined> {
  const paths = hasUnitSuffix(path) ? [path] : [`${path}.service`, `${path}.container`];
  for (const candidate of paths) {
    const bytes = await readUnitFile(candidate);
    if (bytes) return { name: basename(candidate), bytes, from: candidate };
  }
  return undefined;
}

async function readUnitFile(path: string): Promise<Uint8Array | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new KeelError("KEEL-104", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (bytes.byteLength > maxBodyBytes) throw new KeelError("KEEL-605", `${path} is larger than 1 MiB`);
  return bytes;
}

function lookUp(word: string, names: readonly string[]): string | undefined {
  return lookUpKnown(word, names) ?? ofTemplate(word, names);
}

/** A name that the cluster has; not one that it could make of a template. */
function lookUpKnown(word: string, names: readonly string[]): string | undefined {
  if (names.includes(word)) return word;
  const fitting = names.filter((name) => stemOf(name) === word);
  if (fitting.length === 0) return undefined;
  if (fitting.length === 1) return fitting[0];
  const service = fitting.find((name) => name.endsWith(".service"));
  if (service !== undefined) return service;
  const list = fitting.toSorted(naturally).join(", ");
  throw new KeelError("KEEL-501", `"${word}" fits several units: ${list}`, {
    hint: "name one with its suffix",
  });
}

/** An instance that is nowhere, of a template that is there: `web@3` or `web@3.container`. */
function ofTemplate(word: string, names: readonly string[]): string | undefined {
  const at = word.indexOf("@");
  if (at <= 0 || at === word.length - 1) return undefined;
  const templates = names.filter((name) => name.startsWith(`${word.slice(0, at)}@.`));
  const whole = hasUnitSuffix(word) ? word : `${word}${templates[0]?.slice(at + 1) ?? ""}`;
  return templates.includes(templateName(whole) ?? "") ? whole : undefined;
}

function noUnit(word: string, names: readonly string[]): KeelError {
  const near = nearest(word, names) ?? nearest(word, names.map(stemOf));
  return new KeelError(
    "KEEL-501",
    `no unit "${word}"`,
    near === undefined ? {} : { hint: `did you mean ${near}?` },
  );
}

function allNames(known: KnownNames): readonly string[] {
  return [...new Set([...known.units, ...known.instances].map((item) => item.name))];
}
