// What an image is made of, read from os/: text in, data out.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { debianArchitecture, treeHash } from "../local/tree/debian-tree.ts";
import { parseArchives, parseList, readRecipe } from "../local/tree/recipe.ts";
import type { Recipe } from "../local/tree/recipe.ts";
import type { Variant } from "../model/os-image.ts";

export interface ImageSources {
  readonly repository: string;
  readonly variant: Variant;
  /** Debian's name: amd64, arm64. */
  readonly architecture: string;
  /** The packages of the root file system. */
  readonly recipe: Recipe;
  /** The hash under which their tree is cached. */
  readonly recipeHash: string;
  /** The kernel's packages, and those of firmware. */
  readonly kernel: Recipe;
  /** Patterns below the root of what is removed from the packages' tree. */
  readonly remove: readonly string[];
  /** Patterns of the kernel modules that stay, below kernel/ and without suffix. */
  readonly modules: readonly string[];
  /** Names of the modules that the first process loads: always, and when a device asks for them. */
  readonly initrdModules: { readonly always: readonly string[]; readonly devices: readonly string[] };
  readonly commandLine: readonly string[];
}

/** Reads the lists of a variant. Throws when one of them is missing. */
export async function readSources(repository: string, variant: Variant): Promise<ImageSources> {
  const folder = join(repository, "os/image");
  const present = new Set(await readdir(folder));
  const list = async (name: string): Promise<string[]> =>
    parseList(await readFile(join(folder, name), "utf8"));
  const both = async (name: string): Promise<string[]> => {
    const special = `${name}-${variant}.txt`;
    return [...(await list(`${name}.txt`)), ...(present.has(special) ? await list(special) : [])];
  };
  const more = `suite-${variant}.txt`;
  const archives = present.has(more) ? parseArchives(await readFile(join(folder, more), "utf8")) : [];
  const architecture = debianArchitecture(process.arch);
  const recipe = await readRecipe(join(repository, "os"), await both("packages"));
  return {
    repository,
    variant,
    architecture,
    recipe,
    recipeHash: treeHash(recipe, architecture),
    kernel: {
      ...recipe,
      archives: [...recipe.archives, ...archives],
      packages: await list(`kernel-${variant}.txt`),
      remove: [],
    },
    remove: await both("remove"),
    modules: await both("modules"),
    initrdModules: {
      always: await list("modules-always.txt"),
      devices: await both("modules-devices"),
    },
    commandLine: await both("command-line"),
  };
}
