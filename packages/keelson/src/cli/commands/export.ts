import { harmless } from "../colour.ts";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { exitCode, KeelError } from "../../base/errors.ts";
import type { SnapshotView } from "../../api/wire/snapshot.ts";
import { type Exported, exportUnits, type UnitToExport } from "../../interchange/export.ts";
import { templateName } from "../../model/unit-name.ts";
import type { DaemonClient } from "../daemon/client.ts";
import type { Register } from "../invocation.ts";
import { resolveUnits } from "../unit-arguments.ts";

interface ExportOptions {
  readonly all?: boolean;
  readonly dir?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

export const register: Register = (program, act) => {
  const command = program
    .command("export")
    .argument("[units...]", "units, templates, or patterns in quotes")
    .description("Write plain unit files that a machine without Keelson runs, with what they refer to.")
    .option("--all", "every unit of the cluster")
    .option("-d, --dir <folder>", "where to write them", ".")
    .option("--dry-run", "print the files and write none")
    .option("--force", "write over files that are there");
  act<ExportOptions>(command, async (keel, words, options) => {
    const client = await keel.daemon();
    const snapshot = await client.snapshot();
    const units = await readUnits(selected(words, options, snapshot), snapshot, client);
    const all = await readUnits(
      snapshot.units.map(({ name }) => name).filter((name) => !units.has(name) && isReferable(name)),
      snapshot,
      client,
    );
    const exported = exportUnits([...units.values()], (name) => units.get(name) ?? all.get(name));
    const folder = resolve(keel.terminal.cwd, options.dir ?? ".");
    if (options.dryRun !== true) await writeFiles(folder, exported, options.force === true);
    for (const note of exported.notes) keel.terminal.err(`note: ${harmless(note)}\n`);
    keel.output.document({ ...exported }, () => text(exported, options));
    return exitCode.done;
  });
};

const isReferable = (name: string): boolean => /\.(network|volume|pod|image|build)$/.test(name);

function selected(words: readonly string[], { all }: ExportOptions, snapshot: SnapshotView): string[] {
  if ((all === true) === words.length > 0)
    throw new KeelError("KEEL-104", "name units, or say --all", { hint: "keel export web -d plain" });
  if (all === true) return snapshot.units.map(({ name }) => name);
  const names = resolveUnits(words, snapshot);
  const known = new Set(snapshot.units.map(({ name }) => name));
  return [...new Set(names.map((name) => (known.has(name) ? name : (templateName(name) ?? name))))];
}

async function readUnits(
  names: readonly string[],
  { units }: SnapshotView,
  client: DaemonClient,
): Promise<Map<string, UnitToExport>> {
  const replicas = new Map(units.map((unit) => [unit.name, unit.replicas]));
  const read = new Map<string, UnitToExport>();
  for (const name of names)
    read.set(name, { name, body: await client.unitFile(name), replicas: replicas.get(name) ?? 0 });
  return read;
}

async function writeFiles(folder: string, { files }: Exported, force: boolean): Promise<void> {
  const there = files.filter(({ path }) => existsSync(join(folder, path)));
  if (there.length > 0 && !force) {
    throw new KeelError(
      "KEEL-104",
      `${there.map(({ path }) => path).join(", ")}: there already, in ${folder}`,
      {
        hint: "--force writes over them, -d FOLDER writes elsewhere",
      },
    );
  }
  for (const { path, text } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

function text({ files, services }: Exported, { dryRun, dir = "." }: ExportOptions): string {
  if (dryRun === true) return files.map(({ path, text: body }) => `# ${path}\n${body}`).join("\n");
  const has = (folder: string): boolean => files.some(({ path }) => path.startsWith(folder));
  const lines = [
    ...files.map(({ path }) => join(dir, path)),
    "",
    "On the machine:",
    ...(has("containers/") ? [`  cp ${join(dir, "containers")}/* /etc/containers/systemd/`] : []),
    ...(has("system/") ? [`  cp ${join(dir, "system")}/* /etc/systemd/system/`] : []),
    "  systemctl daemon-reload",
    ...(services.length > 0 ? [`  systemctl start ${services.join(" ")}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}
