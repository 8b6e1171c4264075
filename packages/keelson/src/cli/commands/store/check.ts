import { resolve } from "node:path";
import type { StoreCheck } from "@keelson/etcd/server";
import { formatBytes } from "../../../local/progress.ts";
import type { Register } from "../../invocation.ts";
import { storeError } from "./store-error.ts";

interface Options {
  readonly walDir?: string;
}

/** Exit code of damage found, as fsck has for errors that it left. */
const DAMAGED_EXIT = 1;

export const registerCheck: Register = (group, act) => {
  const check = group
    .command("check")
    .argument("<data-dir>", "the data directory of a store that is not running, or a copy of one")
    .option("--wal-dir <dir>", "where its log lies, if not in the data directory")
    .description("Verify a data directory, every byte of it; change nothing.");
  act<Options>(check, async ({ output }, [dataDir = ""], options) => {
    const { checkStore } = await import("@keelson/etcd/server");
    const path = resolve(dataDir);
    const walDir = options.walDir === undefined ? undefined : resolve(options.walDir);
    const result = await checkStore({ dataDir: path, walDir }).catch((error: unknown) => {
      throw storeError(error);
    });
    output.document({ directory: path, intact: result.damage.length === 0, ...result }, () =>
      asText(path, result),
    );
    return result.damage.length === 0 ? 0 : DAMAGED_EXIT;
  });
};

function asText(path: string, check: StoreCheck): string {
  const { identity, snapshots, segments, cutOff, damage } = check;
  const lines: string[] = [path];
  if (identity !== undefined) lines.push(`cluster ${identity.cluster}, member ${identity.member}`);
  for (const { path: file, index, bytes } of snapshots) {
    lines.push(`snapshot ${file}: to record ${index}, ${formatBytes(bytes)}`);
  }
  for (const { path: file, records, lastIndex, bytes } of segments) {
    const what = lastIndex === undefined ? "empty" : `${records} records, the last is ${lastIndex}`;
    lines.push(`segment ${file}: ${what}, ${formatBytes(bytes)}`);
  }
  if (cutOff !== undefined) {
    lines.push(
      `a last write was torn at byte ${cutOff.offset} of ${cutOff.path}: the next start cuts it off`,
    );
  }
  if (damage.length === 0) {
    lines.push(`intact: revision ${check.revision}, ${check.keys} keys, ${check.leases} leases`);
    return `${lines.join("\n")}\n`;
  }
  for (const { path: file, offset, what } of damage) lines.push(`DAMAGED ${file}, byte ${offset}: ${what}`);
  lines.push("nothing was changed; restore the directory from a backup");
  return `${lines.join("\n")}\n`;
}
