// While the package is packed, its manifest names what was built in dist/ and not the sources. `published` writes that
// manifest and keeps the workspace's; `workspace` puts it back. npm runs them as prepack and postpack.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const home = resolve(import.meta.dirname, "..");
const path = join(home, "package.json");
const kept = join(home, "package.workspace.json");

const built = (source: string): string => source.replace(/^\.\/src\//, "./dist/").replace(/\.ts$/, ".js");

function publish(): void {
  // What was kept by a packing that was interrupted is the workspace's.
  if (!existsSync(kept)) renameSync(path, kept);
  const manifest = JSON.parse(readFileSync(kept, "utf8")) as Record<string, Record<string, string>>;
  const { scripts: _scripts, devDependencies: _tools, exports = {}, bin = {}, ...rest } = manifest;
  const published = {
    ...rest,
    exports: Object.fromEntries(
      Object.entries(exports).map(([name, source]) => {
        const code = built(source);
        return [name, { types: code.replace(/\.js$/, ".d.ts"), default: code }];
      }),
    ),
    bin: Object.fromEntries(Object.entries(bin).map(([name, source]) => [name, built(source)])),
  };
  writeFileSync(path, `${JSON.stringify(published, undefined, 2)}\n`);
}

switch (process.argv[2]) {
  case "published":
    publish();
    break;
  case "workspace":
    if (existsSync(kept)) renameSync(kept, path);
    break;
  default:
    throw new Error("usage: swap-manifest.ts published|workspace");
}
