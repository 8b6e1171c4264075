// Builds what is published into dist/: JavaScript, with declarations beside it. In the workspace the sources run as
// they are; under node_modules Node strips no types.
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";

const home = resolve(import.meta.dirname, "..");
const repository = resolve(home, "../..");
const out = join(home, "dist");

interface Manifest {
  readonly exports: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as Manifest;
const entries = [...Object.values(manifest.exports), ...Object.values(manifest.bin)];

rmSync(out, { recursive: true, force: true });
await using build = await rolldown({
  // Workers are found beside the code that starts them.
  input: [...entries, ...globSync("src/**/*-worker.ts", { cwd: home })].map((entry) => join(home, entry)),
  platform: "node",
  external: [/^node:/, ...Object.keys(manifest.dependencies).map((name) => new RegExp(`^${name}(?:/|$)`))],
  transform: { target: "node24" },
  logLevel: "warn",
});
await build.write({ dir: out, format: "esm", preserveModules: true, preserveModulesRoot: join(home, "src") });

const tsc = createRequire(import.meta.url).resolve("typescript/package.json");
const project = join(out, "tsconfig.json");
const compilerOptions = {
  noEmit: false,
  declaration: true,
  emitDeclarationOnly: true,
  rootDir: join(home, "src"),
  outDir: out,
};
const files = entries.map((entry) => join(home, entry));
writeFileSync(
  project,
  JSON.stringify({ extends: join(repository, "tsconfig.json"), compilerOptions, include: [], files }),
);
execFileSync(process.execPath, [join(tsc, "../bin/tsc"), "--project", project], { stdio: "inherit" });
rmSync(project);
for (const file of globSync("**/*.d.ts", { cwd: out })) {
  const path = join(out, file);
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replaceAll(/((?:from|import)\s*\(?\s*"\.{1,2}\/[^"]*)\.ts"/g, '$1.js"'));
}
