// What a root file system holds that the budget and the promises about it speak of, read from its tree.
import { glob, lstat, open } from "node:fs/promises";
import { join } from "node:path";

export interface RootFacts {
  /** Files with the set-user-ID or set-group-ID bit, below the root. */
  readonly setuid: readonly string[];
  readonly kernelModules: number;
  /** Programs that run programs, package managers and compilers, the shell and Node left out. */
  readonly interpreters: readonly string[];
  /** Scripts whose interpreter is not there. */
  readonly orphans: readonly string[];
}

const unwanted =
  /^(perl|python|ruby|lua|tclsh|php|awk|mawk|gawk|nawk|gcc|cc|g\+\+|clang|tcc|as|ld|make|apt|dpkg|rpm|pip|npm|npx|snap|flatpak|guile|ocaml|ghc|go)[\d.-]*$/;

/** Walks a tree that a build has stripped. */
export async function inspectRoot(root: string): Promise<RootFacts> {
  const setuid: string[] = [];
  const interpreters: string[] = [];
  const orphans: string[] = [];
  let kernelModules = 0;
  for await (const path of glob("{usr,etc}/**/*", { cwd: root })) {
    const info = await lstat(join(root, path));
    if (!info.isFile() && !info.isSymbolicLink()) continue;
    if (path.endsWith(".ko")) kernelModules++;
    const name = path.replace(/^.*\//, "");
    const isProgram = /^usr\/(s?bin|lib\/keelson|libexec)\//.test(path);
    if (isProgram && unwanted.test(name)) interpreters.push(path);
    if (!info.isFile()) continue;
    if ((info.mode & 0o6000) !== 0) setuid.push(path);
    if (isProgram && (info.mode & 0o111) !== 0 && !(await canRun(root, path))) orphans.push(path);
  }
  return { setuid: setuid.sort(), kernelModules, interpreters: interpreters.sort(), orphans: orphans.sort() };
}

/** False for a script that names an interpreter which is not there. */
async function canRun(root: string, path: string): Promise<boolean> {
  const head = Buffer.alloc(200);
  await using file = await open(join(root, path), "r");
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const script = /^#! ?(\S+)(?: +(\S+))?/.exec(head.toString("latin1", 0, bytesRead));
  if (script === null) return true;
  const [, program = "", argument = ""] = script;
  const wanted = program.endsWith("/env") ? `/usr/bin/${argument}` : program;
  const found = wanted.replace(/^\/(s?bin)\//, "/usr/$1/");
  return lstat(join(root, found)).then(
    () => true,
    () => false,
  );
}
