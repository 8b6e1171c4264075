import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** A hash over names, kinds, executable bits and contents of files and folders; missing ones count as missing. */
export function hashPaths(base: string, paths: readonly string[], more: readonly string[] = []): string {
  const hash = createHash("sha256");
  for (const text of more) hash.update(`=${text}\0`);
  for (const path of paths) addPath(hash, base, path);
  return hash.digest("hex").slice(0, 16);
}

function addPath(hash: Hash, base: string, path: string): void {
  const full = join(base, path);
  const info = lstatSync(full, { throwIfNoEntry: false });
  if (info === undefined) hash.update(`-${path}\0`);
  else if (info.isSymbolicLink()) hash.update(`l${path}\0${readlinkSync(full)}\0`);
  else if (info.isDirectory()) {
    hash.update(`d${path}\0`);
    for (const name of readdirSync(full).sort()) {
      if (name !== "node_modules" && name !== "dist") addPath(hash, base, join(path, name));
    }
  } else if (info.isFile()) {
    hash.update(`f${path}\0${info.mode & 0o111 ? "x" : ""}${info.size}\0`);
    hash.update(readFileSync(full));
  }
}

/** The first of the candidates that exists. */
export function firstExisting(...candidates: readonly string[]): string | undefined {
  return candidates.find((candidate) => existsSync(candidate));
}
