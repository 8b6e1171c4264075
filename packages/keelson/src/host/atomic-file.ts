import { open, readFile, rename, rm } from "node:fs/promises";

/** Puts a file in place by renaming a finished one: a reader sees the old content or the new, never a part. */
export async function writeAtomically(path: string, content: string, mode = 0o644): Promise<void> {
  const fresh = `${path}.new`;
  const file = await open(fresh, "w", mode);
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

/** A text file; undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export function removeIfThere(path: string): Promise<void> {
  return rm(path, { force: true });
}
