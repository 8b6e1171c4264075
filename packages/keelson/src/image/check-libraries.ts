// Whether every program and library of a root file system finds the libraries that it is linked with. What an image
// does without is a list of patterns: one too many, and a program of the image no longer starts.
import { lstat, open, readFile, readdir, readlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { readLinkFacts } from "./elf.ts";
import type { LinkFacts } from "./elf.ts";

export interface MissingLibrary {
  /** Below the root. */
  readonly file: string;
  readonly library: string;
}

/** Where glibc of Debian looks without being told; `etc/ld.so.conf.d` names more. */
const standardFolders = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];
const mostLinks = 40;
/** How many a message names. */
const namedMost = 8;

/** Throws KEEL-335 when something of the merged layers, uppermost first, lacks a library. */
export async function checkLibraries(layers: readonly string[]): Promise<void> {
  const missing = await missingLibraries(layers);
  if (missing.length === 0) return;
  const named = missing.slice(0, namedMost).map(({ file, library }) => `${file} needs ${library}`);
  const more = missing.length > namedMost ? `; and ${missing.length - namedMost} more` : "";
  throw new KeelError("KEEL-335", `the image lacks libraries: ${named.join("; ")}${more}`, {
    details: { missing: missing.map(({ file, library }) => `${file} ${library}`) },
  });
}

/**
 * In the order of the files' names. Follows what the dynamic linker does, program by program, since what a program has
 * loaded serves its libraries as well; then the libraries that no program is linked with: those are loaded by name.
 */
export async function missingLibraries(layers: readonly string[]): Promise<readonly MissingLibrary[]> {
  const root = new MergedRoot(layers);
  const shared = [...standardFolders, ...(await configuredFolders(root))];
  const objects = new Map<string, LinkFacts>();
  for (const [file, path] of await root.files()) {
    const facts = file.endsWith(".ko") ? undefined : await linkFactsOf(path);
    if (facts !== undefined) objects.set(file, facts);
  }
  const linker: Linker = { root, shared, objects };
  const missing = new Map<string, MissingLibrary>();
  const reached = new Set<string>();
  const [programs, others] = [isProgram, (facts: LinkFacts) => !isProgram(facts)].map((is) =>
    [...objects].filter(([, facts]) => is(facts)),
  );
  for (const [file] of [...(programs ?? []), ...(others ?? [])]) {
    if (reached.has(file)) continue;
    const { loaded, lacks } = await load(file, linker);
    for (const name of loaded) reached.add(name);
    for (const one of lacks) missing.set(`${one.file} ${one.library}`, one);
  }
  return [...missing.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
}

interface Linker {
  readonly root: MergedRoot;
  /** Folders that serve every object. */
  readonly shared: readonly string[];
  readonly objects: ReadonlyMap<string, LinkFacts>;
}

const isProgram = ({ interpreter }: LinkFacts): boolean => interpreter !== undefined;

/** An object and everything that comes along, breadth first; a name that was loaded is not looked for again. */
async function load(
  first: string,
  { root, shared, objects }: Linker,
): Promise<{ readonly loaded: ReadonlySet<string>; readonly lacks: readonly MissingLibrary[] }> {
  const loaded = new Set([first]);
  const names = new Set<string>();
  const lacks: MissingLibrary[] = [];
  const program = objects.get(first);
  const interpreter = program?.interpreter;
  if (interpreter !== undefined && (await root.find([interpreter])) === undefined)
    lacks.push({ file: first, library: interpreter });
  for (const file of loaded) {
    const facts = objects.get(file);
    for (const library of facts?.needed ?? []) {
      if (names.has(library)) continue;
      names.add(library);
      const inherited = facts?.runPath === undefined ? ownFolders(first, program?.rPath) : [];
      const folders = [...ownFolders(file, facts?.runPath ?? facts?.rPath), ...inherited, ...shared];
      const places = library.includes("/") ? [library] : folders.map((folder) => `${folder}/${library}`);
      const found = await root.find(places);
      if (found === undefined) lacks.push({ file, library });
      else loaded.add(found);
    }
  }
  return { loaded, lacks };
}

function ownFolders(file: string, path = ""): readonly string[] {
  const folders = path.split(":").filter((folder) => folder !== "");
  return folders.map((folder) => folder.replace(/\$(ORIGIN|\{ORIGIN\})/g, `/${dirname(file)}`));
}

/** Folders that `ld.so.conf.d` names: each file holds one a line. */
async function configuredFolders(root: MergedRoot): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const [file, path] of await root.files()) {
    if (!/^etc\/ld\.so\.conf(\.d\/[^/]+\.conf)?$/.test(file)) continue;
    const lines = (await readFile(path, "utf8")).split("\n").map((line) => line.replace(/#.*/, "").trim());
    folders.push(...lines.filter((line) => line.startsWith("/")));
  }
  return folders;
}

async function linkFactsOf(path: string): Promise<LinkFacts | undefined> {
  await using file = await open(path, "r");
  return await readLinkFacts((position, length) => readAt(file, position, length));
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const bytes = Math.max(0, Math.min(length, size - position));
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, position);
  return buffer.subarray(0, bytesRead);
}

/** Layers as an overlay would show them. */
class MergedRoot {
  readonly #layers: readonly string[];
  #files: ReadonlyMap<string, string> | undefined;
  readonly #found = new Map<string, Promise<string | undefined>>();

  constructor(layers: readonly string[]) {
    this.#layers = layers;
  }

  /** Regular files by their names below the root, sorted, and where they lie. */
  async files(): Promise<ReadonlyMap<string, string>> {
    if (this.#files !== undefined) return this.#files;
    const found = new Map<string, string>();
    for (const layer of this.#layers.toReversed()) await collect(layer, "", found);
    this.#files = new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
    return this.#files;
  }

  /** The file that the first of the paths leads to which leads to one. */
  async find(paths: readonly string[]): Promise<string | undefined> {
    for (const path of paths) {
      const known = this.#found.get(path) ?? this.#resolve(path);
      this.#found.set(path, known);
      const found = await known;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Follows links as the kernel would, but never out of the layers. */
  async #resolve(path: string): Promise<string | undefined> {
    let rest = path.split("/");
    let at: string[] = [];
    for (let links = 0; rest.length > 0;) {
      const [name = "", ...others] = rest;
      rest = others;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = at.slice(0, -1);
        continue;
      }
      const target = await this.#linkAt([...at, name].join("/"));
      if (target === undefined) {
        at = [...at, name];
        continue;
      }
      if (++links > mostLinks) return undefined;
      if (target.startsWith("/")) at = [];
      rest = [...target.split("/"), ...rest];
    }
    const name = at.join("/");
    return (await this.files()).has(name) ? name : undefined;
  }

  /** Where a symbolic link leads; undefined for anything else. */
  async #linkAt(name: string): Promise<string | undefined> {
    for (const layer of this.#layers) {
      const path = join(layer, name);
      const info = await lstat(path).catch(() => undefined);
      if (info !== undefined) return info.isSymbolicLink() ? readlink(path) : undefined;
    }
    return undefined;
  }
}

/** Adds a folder's regular files; what else has the name of one hides it. Links are not followed. */
async function collect(layer: string, folder: string, found: Map<string, string>): Promise<void> {
  for (const entry of await readdir(join(layer, folder), { withFileTypes: true })) {
    const name = join(folder, entry.name);
    if (entry.isDirectory()) await collect(layer, name, found);
    else if (entry.isFile()) found.set(name, join(layer, name));
    else found.delete(name);
  }
}
