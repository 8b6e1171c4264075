// The recipe in os/: which packages from where, what to leave out, what to remove. Text in, data out.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface Archive {
  readonly suite: string;
  /** Path on the mirror: debian, debian-security. */
  readonly path: string;
  readonly component: string;
}

export interface Recipe {
  readonly archives: readonly Archive[];
  readonly packages: readonly string[];
  /** dpkg options: path-exclude=… and path-include=… in order. */
  readonly dpkgOptions: readonly string[];
  /** Shell patterns below the tree's root. */
  readonly remove: readonly string[];
}

/** The entries of a list file: one a line, `#` and what follows is a remark. */
export function parseList(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*/, "").trim())
    .filter((line) => line !== "");
}

export function parseArchives(text: string): Archive[] {
  return parseList(text).map((line) => {
    const [suite, path, component, ...rest] = line.split(/\s+/);
    if (suite === undefined || path === undefined || component === undefined || rest.length > 0) {
      throw new TypeError(`an archive is a suite, a path and a component: ${line}`);
    }
    return { suite, path, component };
  });
}

/** `/usr/share/man/*` becomes path-exclude, `+/usr/…` path-include. */
export function parseExcludes(text: string): string[] {
  return parseList(text).map((line) =>
    line.startsWith("+") ? `path-include=${line.slice(1)}` : `path-exclude=${line}`,
  );
}

/** Reads the recipe from a folder like os/; `extra` packages are added to it. */
export async function readRecipe(folder: string, extra: readonly string[] = []): Promise<Recipe> {
  const text = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  return {
    archives: parseArchives(await text("suite.txt")),
    packages: [...new Set([...parseList(await text("packages.txt")), ...extra])],
    dpkgOptions: parseExcludes(await text("exclude.txt")),
    remove: parseList(await text("remove.txt")),
  };
}

/** Changes with everything that changes the tree, and with nothing else. */
export function recipeHash(recipe: Recipe, architecture: string, builder: number): string {
  const content = JSON.stringify([
    builder,
    architecture,
    recipe.archives,
    recipe.packages,
    recipe.dpkgOptions,
    recipe.remove,
  ]);
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}
