import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { describeError, KeelError } from "../base/errors.ts";
import { manifestSchema, type BackupManifest } from "../model/backup.ts";

export const manifestSuffix = ".json";

/** What lies beside a backup; undefined if nothing does. Throws KEEL-721 for what is no manifest. */
export async function readManifest(file: string): Promise<BackupManifest | undefined> {
  const path = file + manifestSuffix;
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new KeelError("KEEL-721", `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
  try {
    if (text.length > 1 << 16) throw new Error("it is larger than 64 KiB");
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new KeelError("KEEL-721", `${path} is no manifest of a backup: ${describeError(cause)}`, { cause });
  }
}

export async function writeManifest(file: string, manifest: BackupManifest): Promise<void> {
  await writeWhole(file + manifestSuffix, async (write) => {
    await write(Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`));
  });
}

/**
 * Writes a file that is there as a whole or not at all, even after a power failure, and only for its owner's eyes.
 * Throws KEEL-703.
 */
export async function writeWhole(
  path: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const beside = `${path}.unfinished`;
  try {
    await rm(beside, { force: true });
    {
      await using handle = await open(beside, "wx", 0o600);
      await fill(async (bytes) => {
        await handle.writeFile(bytes);
      });
      await handle.sync();
    }
    await rename(beside, path);
    await using folder = await open(dirname(path), "r");
    await folder.sync();
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => undefined);
    if (cause instanceof KeelError || !isSystemError(cause)) throw cause;
    throw new KeelError("KEEL-703", `${path} cannot be written: ${describeError(cause)}`, { cause });
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
