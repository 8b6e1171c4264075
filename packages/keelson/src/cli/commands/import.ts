import { harmless } from "../colour.ts";
import { mkdir, writeFile } from "node:fs/promises";
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { exitCode, KeelError } from "../../base/errors.ts";
import { importCompose, maxComposeBytes, parseEnvFile } from "../../interchange/compose/project.ts";
import type { GeneratedFile, Imported } from "../../interchange/compose/project.ts";
import type { Invocation, Register } from "../invocation.ts";

interface ImportOptions {
  readonly dir?: string;
  readonly envFile?: readonly string[];
  readonly profile?: readonly string[];
  readonly prefix?: string;
  readonly apart?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export const register: Register = (program, act) => {
  const command = program
    .command("import")
    .argument("[file]", "a Compose file; compose.yaml here if absent")
    .description("Write the Quadlet files of a Compose file, and say what has no equivalent.")
    .option("-d, --dir <folder>", "where to write them", ".")
    .option("--env-file <file>", "variables for the file; .env beside it if absent", several)
    .option("--profile <name>", "also the services of this profile", several)
    .option("--prefix <text>", "put before the names of all units")
    .option("--apart", "let services run on different machines, where they do not share a network")
    .option("--dry-run", "print the files and write none")
    .option("--force", "write over files that are there");
  act<ImportOptions>(command, async (keel, [word], options) => {
    const path = findFile(keel.terminal.cwd, word);
    const imported = importCompose(readBounded(path), request(keel, path, options));
    const folder = resolve(keel.terminal.cwd, options.dir ?? ".");
    if (options.dryRun !== true) await writeFiles(folder, imported.files, options.force === true);
    tell(keel, imported, options);
    return exitCode.done;
  });
};

function findFile(cwd: string, word: string | undefined): string {
  if (word !== undefined) return resolve(cwd, word);
  const names = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
  const found = names.map((name) => join(cwd, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new KeelError("KEEL-108", `there is no ${names[0] ?? ""} here`, { hint: "keel import FILE" });
}

function readBounded(path: string): string {
  try {
    if (statSync(path).size > maxComposeBytes)
      throw new KeelError("KEEL-108", `${path} is larger than 1 MiB`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof KeelError) throw cause;
    throw new KeelError("KEEL-108", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function request(
  keel: Invocation,
  path: string,
  options: ImportOptions,
): Parameters<typeof importCompose>[1] {
  const folder = dirname(path);
  const readFile = (name: string): string | undefined => {
    const file = resolve(folder, name);
    return existsSync(file) && statSync(file).isFile() ? readBounded(file) : undefined;
  };
  const variables = new Map<string, string>();
  for (const name of options.envFile ?? [".env"]) {
    const text = readFile(options.envFile === undefined ? name : resolve(keel.terminal.cwd, name));
    if (text === undefined && options.envFile !== undefined)
      throw new KeelError("KEEL-108", `${name} cannot be read`);
    for (const [key, value] of parseEnvFile(text ?? "")) variables.set(key, value);
  }
  for (const [key, value] of Object.entries(keel.terminal.env))
    if (value !== undefined) variables.set(key, value);
  return {
    project:
      basename(folder)
        .toLowerCase()
        .replace(/[^a-z0-9_-]+/g, "-") || "app",
    variables,
    profiles: options.profile ?? [],
    prefix: options.prefix ?? "",
    apart: options.apart === true,
    readFile,
    resolve: (name) => resolve(folder, name.replace(/^~(?=\/|$)/, keel.terminal.env.HOME ?? "~")),
  };
}

async function writeFiles(folder: string, files: readonly GeneratedFile[], force: boolean): Promise<void> {
  const there = files.filter(({ name }) => existsSync(join(folder, name)));
  if (there.length > 0 && !force) {
    throw new KeelError(
      "KEEL-108",
      `${there.map(({ name }) => name).join(", ")}: there already, in ${folder}`,
      {
        hint: "--force writes over them, -d FOLDER writes elsewhere",
      },
    );
  }
  await mkdir(folder, { recursive: true });
  for (const { name, text } of files) await writeFile(join(folder, name), text);
}

function tell(keel: Invocation, { files, notes }: Imported, { dryRun, dir = "." }: ImportOptions): void {
  keel.output.document({ files, notes }, () => {
    const written = files.map(({ name, text }) => (dryRun === true ? `# ${name}\n${text}` : join(dir, name)));
    const told = notes.map(({ path, text }) => (path === "" ? text : `${path}: ${text}`));
    for (const line of told) keel.terminal.err(`note: ${harmless(line)}\n`);
    const start = keel.command(`start ${files.map(({ name }) => join(dir, name)).join(" ")}`);
    return `${written.join("\n")}\n${dryRun === true ? "" : `\nStart them with: ${start}\n`}`;
  });
}
