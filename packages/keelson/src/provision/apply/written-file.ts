// Files put in place whole: a reader, or a machine whose power went, sees the old content or the new.
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes and syncs, then renames. The folder is made when it is missing. */
export async function writeSynced(
  path: string,
  content: string | Uint8Array,
  mode: number,
  chown?: (path: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.keelson-${randomBytes(4).toString("hex")}`;
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  const file = await open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await chown?.(fresh);
    // After the owner: chown takes away the bits for setuid.
    const again = await open(fresh, constants.O_RDONLY | O_NOFOLLOW);
    try {
      await again.chmod(mode);
    } finally {
      await again.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
