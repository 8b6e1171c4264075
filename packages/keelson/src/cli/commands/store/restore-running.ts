// `keel store restore FILE` on the running store: hands the file in, shows the plan, asks, follows.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { readManifest } from "../../../backup/manifest.ts";
import { digestOf } from "../../../backup/prove-backup.ts";
import { exitCode, KeelError } from "../../../base/errors.ts";
import type { BackupManifest, RestorePlan } from "../../../model/backup.ts";
import { formatDuration, formatMoment } from "../../duration.ts";
import type { Invocation } from "../../invocation.ts";
import { confirmMove, followMove } from "../../store-move.ts";

/** Names of one kind that are listed. */
const mostNames = 20;

export async function restoreRunning(
  keel: Invocation,
  file: string,
  options: { readonly dryRun?: boolean; readonly yes?: boolean },
): Promise<number> {
  const client = await keel.daemon();
  await client.store.checkRestorable();
  const manifest = await checkFile(file);
  const { cluster } = await client.health();
  const { size } = await stat(file);
  const told = await keel.progress.run("proof of the backup", () =>
    client.store.planRestore(createReadStream(file), size),
  );
  const facts = { file, takenAt: manifest?.takenAt ?? null, cluster: manifest?.cluster ?? null };
  const plan = { ...told, backup: { ...told.backup, ...facts } };
  const text = planText(plan, { manifest, cluster });
  if (options.dryRun === true) {
    await client.store.dropRestore();
    keel.output.document({ plan }, () => text);
    return exitCode.done;
  }
  if (options.yes !== true) keel.terminal.err(text);
  try {
    await confirmMove(keel, "Restore the store?", { ...options, noun: "restore" });
  } catch (error) {
    await client.store.dropRestore();
    throw error;
  }
  const lines = client.store.restore(plan.id);
  const outcome = await followMove(keel, { what: "store restored", lines, noun: "restore" });
  keel.output.document({ plan, outcome, keptAs: plan.keptAs }, () => {
    const took = `it took ${formatDuration(outcome.ms)}`;
    return `${outcome.words}\n${took}; units of both stores went on running\n`;
  });
  return exitCode.done;
}

/** Throws KEEL-721 for a file that is not what its manifest says. */
async function checkFile(file: string): Promise<BackupManifest | undefined> {
  const manifest = await readManifest(file);
  const { sha256 } = await digestOf(file);
  if (manifest === undefined || manifest.sha256 === sha256) return manifest;
  throw new KeelError("KEEL-721", `${file} is not the file that its manifest tells of: the SHA-256 differs`);
}

function planText(
  { backup, store, keys, units, keptAs }: RestorePlan,
  { manifest, cluster }: { readonly manifest: BackupManifest | undefined; readonly cluster: string },
): string {
  const taken = manifest === undefined ? "at an unknown time" : formatMoment(manifest.takenAt);
  const isOther = manifest !== undefined && manifest.cluster !== cluster;
  return [
    ...(isOther ? [`the backup was taken of ${manifest.cluster}, and this cluster is ${cluster}\n`] : []),
    `backup  revision ${backup.revision}, taken ${taken}\n`,
    `store   revision ${store.revision}, now ${formatMoment(store.at)}\n`,
    `keys    ${keys.added} added, ${keys.changed} changed, ${keys.gone} gone, of ${store.keys}\n`,
    unitLine("units that appear", units.appear),
    unitLine("units that vanish, and are stopped", units.vanish),
    unitLine("units that change", units.change),
    `the present store is kept as ${keptAs}\n`,
  ].join("");
}

function unitLine(what: string, names: readonly string[]): string {
  if (names.length === 0) return `${what}: none\n`;
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : "";
  return `${what} (${names.length}): ${names.slice(0, mostNames).join(", ")}${more}\n`;
}
