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

/** The modules of these names with what they need, in an order in which they can be loaded. */
export function loadOrder(graph: ModuleGraph, names: readonly string[]): string[] {
  const byName = new Map([...graph.keys()].map((path) => [moduleName(path), path]));
  const order = new Set<string>();
  for (const name of names) {
    const path = byName.get(name.replaceAll("-", "_"));
    if (path === undefined) continue;
    for (const each of [...(graph.get(path) ?? [])].reverse()) order.add(each);
    order.add(path);
  }
  return [...order];
}
