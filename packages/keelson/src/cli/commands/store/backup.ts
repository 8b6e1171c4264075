import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Option } from "commander";
import { listBackups } from "../../../backup/backup-directory.ts";
import type { FoundBackup } from "../../../backup/backup-directory.ts";
import { readStatus } from "../../../backup/status.ts";
import { describeError, KeelError } from "../../../base/errors.ts";
import { formatBytes } from "../../../local/progress.ts";
import type { BackupSource } from "../../../model/backup.ts";
import { formatAge, formatMoment } from "../../duration.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { Interrupted } from "../../report-error.ts";
import { renderTable } from "../../table.ts";
import type { Column } from "../../table.ts";
import { storeClient, withStoreOptions } from "./key-options.ts";
import type { KeyOptions } from "./key-options.ts";

/** What a schedule writes to, unless its configuration says otherwise. */
export const standardDirectory = "/var/lib/keelson/backups";

const columns = (now: number): readonly Column<FoundBackup>[] => [
  { name: "file", cell: ({ file }) => basename(file) },
  { name: "taken", cell: ({ takenAt }) => formatAge(takenAt, now) },
  { name: "state", cell: ({ state }) => state },
  { name: "size", cell: ({ bytes }) => formatBytes(bytes) },
  { name: "revision", cell: ({ manifest }) => String(manifest?.source?.revision ?? "") },
  { name: "cluster", cell: ({ manifest }) => manifest?.cluster ?? "" },
  { name: "why", cell: ({ why }) => why ?? "" },
];

export const registerBackup: Register = (group, act) => {
  const backup = group
    .command("backup")
    .argument("<file>", "the file to be written; its manifest is FILE.json")
    .addOption(new Option("--replace", "overwrite the file, if it is there"))
    .description("Write the whole store to a file, and prove it by restoring it.");
  act<KeyOptions & { readonly replace?: boolean }>(
    withStoreOptions(backup),
    async (keel, [word = ""], options) => {
      const file = resolve(keel.terminal.cwd, word);
      if (existsSync(file) && options.replace !== true) {
        throw new KeelError("KEEL-104", `${file} is there already`, { hint: "another name, or --replace" });
      }
      await using opened = await openSource(keel, options);
      const { takeBackup } = await import("../../../backup/take-backup.ts");
      const { source, cluster } = opened;
      const now = (): number => keel.clock.wall();
      const isNew = !existsSync(file);
      const manifest = await takeBackup({ source, file, cluster, now, signal: keel.signal }).catch(
        (error: unknown) => {
          if (!keel.signal.aborted || !isNew || !existsSync(file)) throw error;
          const verify = `\`${keel.command(`store backup verify ${file}`)}\``;
          throw new Interrupted(`interrupted: ${file} is written, but not proven: ${verify}`);
        },
      );
      keel.output.document({ path: file, proven: true, ...manifest }, () => {
        const { revision = 0, hash = 0 } = manifest.source ?? {};
        return `${file}: ${formatBytes(manifest.bytes)}, revision ${revision}, proven (HashKV ${hash})\n`;
      });
    },
  );

  const list = backup
    .command("list")
    .argument("[directory]", `where the backups lie (${standardDirectory})`)
    .addOption(new Option("--no-legend", "leave the line of column names out"))
    .description("List backups, and whether they were ever proven.");
  act<{ readonly legend?: boolean }>(list, async (keel, [word = standardDirectory], options) => {
    const directory = resolve(keel.terminal.cwd, word);
    const found = await listBackups(directory);
    const failure = (await readStatus(directory))?.failure ?? null;
    keel.output.list({
      name: "backups",
      type: "backup",
      items: found.map(({ manifest, why, ...facts }) => ({
        ...facts,
        why: why ?? null,
        manifest: manifest ?? null,
      })),
      more: { directory, failure },
      text: () => renderTable(columns(keel.clock.wall()), found, options),
    });
    if (failure === null || keel.output.format !== "text") return;
    keel.terminal.err(`the last try of the schedule failed, ${formatMoment(failure.at)}: ${failure.why}\n`);
  });

  const verify = backup
    .command("verify")
    .argument("<file>", "a backup, or a snapshot that etcdctl has saved")
    .description("Restore a backup into a scratch directory and compare it with what it was taken from.");
  act(verify, async (keel, [word = ""]) => {
    const { verifyBackup } = await import("../../../backup/take-backup.ts");
    const file = resolve(keel.terminal.cwd, word);
    const result = await verifyBackup(file, () => keel.clock.wall());
    keel.output.document({ ...result }, () => {
      const { outcome, revision, keys, leases, hash } = result;
      const what = `revision ${revision}, ${keys} keys, ${leases} leases, HashKV ${hash}`;
      return outcome === "proven"
        ? `${file} is proven: ${what}\n`
        : `${file} can be restored: ${what}. Nothing says what its source had, so it is not proven\n`;
    });
  });
};

async function openSource(
  keel: Invocation,
  options: KeyOptions,
): Promise<{ readonly source: BackupSource; readonly cluster: string } & AsyncDisposable> {
  if (options.endpoints === undefined) {
    const { DaemonBackupSource } = await import("./daemon-backup-source.ts");
    const daemon = await keel.daemon();
    const { cluster } = await daemon.health();
    const source = new DaemonBackupSource(daemon);
    return { source, cluster, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const client = await storeClient(keel, { ...options, endpoints: options.endpoints });
  const { EtcdBackupSource } = await import("../../../registry/backup-source.ts");
  return {
    source: new EtcdBackupSource(() => client),
    cluster: options.endpoints,
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** A library's error as one of the product's. */
export function restoreError(error: unknown): unknown {
  const { code } = error as { readonly code?: string };
  if (code === "INVALID_ARGUMENT") return new KeelError("KEEL-723", describeError(error), { cause: error });
  if (code === "STORE_DAMAGED") return new KeelError("KEEL-721", describeError(error), { cause: error });
  if (code === "STORE_IO") return new KeelError("KEEL-703", describeError(error), { cause: error });
  return error;
}
