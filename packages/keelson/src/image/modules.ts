// Which kernel modules an image keeps, and in which order the first process loads its own: text in, data out.
import { matchesGlob } from "node:path";

/** The contents of modules.dep: each module's path, and the paths of what it needs, nearest first. */
export type ModuleGraph = ReadonlyMap<string, readonly string[]>;

/** `kernel/fs/erofs/erofs.ko.xz: kernel/…` → path → what it needs. */
export function parseModulesDep(text: string): ModuleGraph {
  const graph = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    graph.set(
      line.slice(0, colon),
      line
        .slice(colon + 1)
        .split(" ")
        .filter((path) => path !== ""),
    );
  }
  return graph;
}

/** `kernel/fs/erofs/erofs.ko.xz` → `fs/erofs/erofs`. */
export function modulePath(path: string): string {
  return path.replace(/^kernel\//, "").replace(/\.ko(\.\w+)?$/, "");
}

/** The name as the kernel and people say it; `-` and `_` are the same to both. */
function moduleName(path: string): string {
  return modulePath(path).replace(/^.*\//, "").replaceAll("-", "_");
}

/** Every module that a pattern names, with what it needs, sorted. */
export function keptModules(graph: ModuleGraph, patterns: readonly string[]): string[] {
  const kept = new Set<string>();
  for (const [path, needs] of graph) {
    const short = modulePath(path);
    if (!patterns.some((pattern) => matchesGlob(short, pattern))) continue;
    for (const each of [path, ...needs]) kept.add(each);
  }
  return [...kept].sort();
}

/** A module that the first process loads. */
export interface EarlyModule {
  readonly path: string;
  /** What it needs, in the order of loading. */
  readonly needs: readonly string[];
}

/** The modules of these names; names that this kernel does not have, or has built in, are left out. */
export function earlyModules(graph: ModuleGraph, names: readonly string[]): EarlyModule[] {
  const byName = new Map([...graph.keys()].map((path) => [moduleName(path), path]));
  return names.flatMap((name) => {
    const path = byName.get(name.replaceAll("-", "_"));
    return path === undefined ? [] : [{ path, needs: (graph.get(path) ?? []).toReversed() }];
  });
}

/**
 * The list that the first process reads: a pattern of what names a device, or `-` for always, then the files to
 * load in order. `aliases` is the text of modules.alias.
 */
export function moduleList(
  modules: readonly EarlyModule[],
  always: readonly string[],
  aliases: string,
): string {
  const patterns = new Map<string, string[]>();
  for (const line of aliases.split("\n")) {
    const [word, pattern, name] = line.split(" ");
    if (word !== "alias" || pattern === undefined || name === undefined) continue;
    if (pattern.includes(":")) patterns.set(name, [...(patterns.get(name) ?? []), pattern]);
  }
  const wanted = new Set(always.map((name) => name.replaceAll("-", "_")));
  return modules
    .flatMap(({ path, needs }) => {
      const name = moduleName(path);
      const files = [...needs, path].map((each) => `${modulePath(each).replace(/^.*\//, "")}.ko`).join(" ");
      const reasons = wanted.has(name) ? ["-"] : (patterns.get(name) ?? []);
      return reasons.map((reason) => `${reason} ${files}\n`);
    })
    .join("");
}
