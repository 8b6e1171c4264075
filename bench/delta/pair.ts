// Two root images that differ by one library's packages, as a security update makes them differ: `pair.ts ROOT.img
// FOLDER OLD.deb…` unpacks an image that was built, makes it again as new.img, and with the older packages' files, an
// older version and their lines in the package list as old.img. Needs root.
import { execFileSync } from "node:child_process";
import { cp, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { rootImage } from "../../packages/keelson/src/image/root-image.ts";
import { runTool, toolsTree } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { costFiles } from "../../packages/keelson/src/model/os-image.ts";

const [image = "", folder = "", ...packages] = process.argv.slice(2).map((path) => resolve(path));
if (packages.length === 0) throw new Error("usage: pair.ts ROOT.img FOLDER OLD.deb…");
const tools = await toolsTree({ repository: resolve(import.meta.dirname, "../..") });
await mkdir(folder, { recursive: true });
const work = await mkdtemp(join(folder, "work-"));
try {
  const [tree, older, same] = ["tree", "older", "same"].map((name) => join(work, name));
  if (tree === undefined || older === undefined || same === undefined) throw new Error("no folders");
  await runTool(tools, ["fsck.erofs", `--extract=${tree}`, image], { binds: [dirname(image), work] });
  await mkdir(same);
  let list = await readFile(join(tree, costFiles.packages), "utf8");
  for (const path of packages) {
    const field = (name: string): string =>
      execFileSync("dpkg-deb", ["--field", path, name], { encoding: "utf8" }).trim();
    const name = field("Package");
    const line = `${name} ${field("Version")} ${field("Architecture")}`;
    if (!list.includes(`\n${name} `)) throw new Error(`the image has no ${name}`);
    list = list.replace(new RegExp(`\n${RegExp.escape(name)} \\S+ \\S+`), `\n${line}`);
    const content = join(work, name);
    execFileSync("dpkg-deb", ["--extract", path, content]);
    await copyWhatIsThere(content, older);
    console.log(line);
  }
  await put(costFiles.packages, list);
  const release = await readFile(join(tree, "usr/lib/os-release"), "utf8");
  await put("usr/lib/os-release", release.replace(/^(VERSION_ID|IMAGE_VERSION)=.*$/gm, "$1=0.0.1"));
  const epoch = Math.floor((await lstat(join(tree, "usr"))).mtimeMs / 1000);
  for (const [name, layer] of [
    ["old", older],
    ["new", same],
  ] as const) {
    const made = join(work, `${name}-image`);
    await mkdir(made);
    const { path } = await rootImage({ tools, layers: [layer, tree], folder: made, seed: name, epoch });
    await cp(path, join(folder, `${name}.img`));
  }

  async function put(place: string, text: string): Promise<void> {
    await mkdir(dirname(join(older ?? "", place)), { recursive: true });
    await writeFile(join(older ?? "", place), text);
  }

  /** A build leaves out documentation and more: only what the image has is exchanged, under its older name as well. */
  async function copyWhatIsThere(content: string, target: string): Promise<void> {
    const entries = await readdir(content, { recursive: true, withFileTypes: true });
    const renamed = new Set<string>();
    for (const entry of entries.filter((one) => one.isSymbolicLink())) {
      const path = join(entry.parentPath, entry.name).slice(content.length);
      const now = await readlink(join(tree ?? "", path)).catch(() => undefined);
      const before = await readlink(join(content, path));
      if (now === undefined || now === before) continue;
      renamed.add(join(dirname(path), before));
      await mkdir(join(target, dirname(path)), { recursive: true });
      // How an upper layer says that a file is gone.
      execFileSync("mknod", [join(target, dirname(path), now), "c", "0", "0"]);
    }
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name).slice(content.length);
      if (entry.isDirectory()) continue;
      const isThere = await lstat(join(tree ?? "", path)).then(
        () => true,
        () => renamed.has(path),
      );
      if (!isThere) continue;
      await mkdir(dirname(join(target, path)), { recursive: true });
      await cp(join(content, path), join(target, path), { verbatimSymlinks: true });
      console.log(`  ${path}`);
    }
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
