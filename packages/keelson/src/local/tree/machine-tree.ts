// What machines boot from. `prepareMachineTree` is what `keel up` calls: the second time it builds nothing.
import { join } from "node:path";
import type { Progress } from "../progress.ts";
import { ContentCache } from "./content-cache.ts";
import { debianArchitecture, debianTree, treeIsCached, treeKind } from "./debian-tree.ts";
import { readRecipe } from "./recipe.ts";
import { layerKind, plainLayer, systemLayer } from "./system-layer.ts";

export const defaultCacheDirectory = "/var/cache/keelson";
export const defaultMirror = "http://deb.debian.org";

export interface MachineTree {
  /** Read-only layers, uppermost first, as overlayfs's lowerdir wants them. */
  readonly layers: readonly string[];
  /** Name, version, architecture and size of every package, one a line. */
  readonly packageList: string;
  /** Debian's statically linked busybox: what the example image is made of. */
  readonly busybox: string;
  /** /usr/lib/keelson of the machines, which the host can run as well: node, keeld.js, keel.js. */
  readonly program: string;
  /** The dashboard's built files. */
  readonly dashboard: string;
}

export interface MachineTreeOptions {
  readonly repository: string;
  readonly cacheDirectory?: string;
  readonly mirror?: string;
  readonly progress: Progress;
  /** False: a plain machine, without keeld and without the tools that building it takes. */
  readonly withProgram?: boolean;
  /** Packages beyond the recipe's. */
  readonly extraPackages?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Whether `prepareMachineTree` would have to download packages. */
export async function needsDownload(options: Omit<MachineTreeOptions, "progress">): Promise<boolean> {
  const cache = new ContentCache(options.cacheDirectory ?? defaultCacheDirectory);
  const recipe = await readRecipe(join(options.repository, "os"), options.extraPackages);
  return !treeIsCached(cache, recipe, debianArchitecture(process.arch));
}

/** The tree, from the cache or built now. Throws KEEL-302 when that fails; nothing half done is left. */
export async function prepareMachineTree(options: MachineTreeOptions): Promise<MachineTree> {
  const { repository, progress, signal } = options;
  const cache = new ContentCache(options.cacheDirectory ?? defaultCacheDirectory);
  const tree = await debianTree({
    recipe: await readRecipe(join(repository, "os"), options.extraPackages),
    cache,
    mirror: options.mirror ?? defaultMirror,
    architecture: debianArchitecture(process.arch),
    progress,
    ...(signal === undefined ? {} : { signal }),
  });
  const makeLayer = options.withProgram === false ? plainLayer : systemLayer;
  const layer = await makeLayer({ repository, cache, progress });
  const program = join(layer, "usr/lib/keelson");
  return {
    layers: [layer, join(tree, "root")],
    packageList: join(tree, "packages.txt"),
    busybox: join(tree, "root/usr/bin/busybox"),
    program,
    dashboard: join(program, "dashboard"),
  };
}

/** Kinds of entries: what containers boot from, and what images are built of and with. */
const kinds = [treeKind, layerKind, "bundles", "nodes", "dashboards"].concat(
  "images image-bases image-layers image-packages kernel-trees first-processes tool-trees".split(" "),
);

/** Deletes what the cache holds beyond the last few of each kind. Entries stay of which clusters use a path. */
export async function pruneCache(cacheDirectory: string, pathsInUse: readonly string[]): Promise<string[]> {
  const cache = new ContentCache(cacheDirectory);
  const inUse = new Set(pathsInUse.flatMap((path) => [path, join(path, "..")]));
  return (await Promise.all(kinds.map((kind) => cache.prune(kind, 3, inUse)))).flat();
}
