// Versions that were tried on this machine and did not hold, one file each in /var/lib/keelson/os/failed: the reason,
// and the end of the journal of their last boot. They are not installed again unless that is forced.
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { removeIfThere } from "../host/atomic-file.ts";
import { runProgram } from "../host/run-program.ts";
import type { BootEntry } from "../model/os-image.ts";
import { statePaths } from "../model/os-image.ts";
import type { BootRecord } from "./boot-records.ts";

const schema = z.object({
  version: z.string().check(z.regex(/^\d{1,9}\.\d{1,9}\.\d{1,9}$/)),
  at: z.number().check(z.gte(0)),
  tries: z.int().check(z.gte(0), z.lte(999)),
  reasons: z.array(z.string()).check(z.minLength(1), z.maxLength(200)),
  boot: z.optional(z.string().check(z.maxLength(36))),
  journal: z.string(),
});

export interface FailedVersion {
  readonly version: string;
  /** Seconds since 1970: when that was found. */
  readonly at: number;
  /** Boots of it that were begun. */
  readonly tries: number;
  readonly reasons: readonly string[];
  /** The boot whose journal this is. */
  readonly boot?: string | undefined;
  /** Whole lines, at most 64 KiB. */
  readonly journal: string;
}

export const journalBytes = 64 << 10;
/** JSON may need six bytes for one. */
const largestFile = 8 * journalBytes;

export class FailedVersions {
  readonly #folder: string;

  constructor(folder: string = statePaths.updater) {
    this.#folder = join(folder, "failed");
  }

  /** The oldest first; what cannot be read is left out. */
  async list(): Promise<readonly FailedVersion[]> {
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    const found: FailedVersion[] = [];
    for (const name of names.filter((file) => file.endsWith(".json")).slice(0, 1000)) {
      const one = await this.get(name.slice(0, -".json".length));
      if (one !== undefined) found.push(one);
    }
    return found.sort((a, b) => a.at - b.at);
  }

  async get(version: string): Promise<FailedVersion | undefined> {
    if (!/^[\d.]{1,40}$/.test(version)) return undefined;
    try {
      const text = await readFile(this.#path(version), "utf8");
      if (text.length > largestFile) return undefined;
      const found = schema.safeParse(JSON.parse(text)).data;
      return found?.version === version ? found : undefined;
    } catch {
      return undefined;
    }
  }

  /** Resolves when it is on the disk. */
  async record(failed: FailedVersion): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const path = this.#path(failed.version);
    const bounded = { ...failed, journal: endOfLines(failed.journal, journalBytes) };
    const file = await open(`${path}.new`, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(bounded)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  }

  /** It held after all, or a person wants it again. */
  forget(version: string): Promise<void> {
    return removeIfThere(this.#path(version));
  }

  #path(version: string): string {
    return join(this.#folder, `${version}.json`);
  }
}

/** A version whose tries are used up, as the entries and the boots' record tell. */
export interface UsedUp {
  readonly version: string;
  readonly tries: number;
  readonly reasons: readonly string[];
  /** Its last boot that is on record. */
  readonly boot?: string;
}

/**
 * Versions that the boot loader has given up, of which another one runs. One that a person put aside (no try was
 * begun) is none of them.
 */
export function usedUpVersions(
  entries: readonly BootEntry[],
  running: string,
  records: readonly BootRecord[],
): readonly UsedUp[] {
  return entries.flatMap(({ version, tries }) => {
    if (tries === undefined || tries.left > 0 || tries.done === 0 || version === running) return [];
    const boots = records.filter((record) => record.version === version && record.trial !== undefined);
    const told = boots
      .slice(-tries.done)
      .flatMap(({ verdict }) => (verdict?.verdict === "failed" ? verdict.reasons : []));
    const last = boots.at(-1);
    const silent =
      last === undefined
        ? "it never got as far as the first unit"
        : "its boot was cut off before anything was decided";
    const reasons = told.length > 0 ? [...new Set(told)] : [silent];
    return [{ version, tries: tries.done, reasons, ...(last === undefined ? {} : { boot: last.boot }) }];
  });
}

/** The end of a boot's journal, at most 64 KiB of whole lines; empty when there is none of it on the disk. */
export async function journalEnd(boot: string): Promise<string> {
  const id = boot.replaceAll("-", "");
  const argv = ["journalctl", "--no-pager", "--quiet", "-o", "short-iso-precise", "-n", "1500"] as const;
  const result = await runProgram([...argv, `--boot=${id}`], { timeoutMs: 20_000 }).catch(() => undefined);
  return result?.status === 0 ? endOfLines(result.stdout, journalBytes) : "";
}

/** The last whole lines that fit into so many bytes. */
export function endOfLines(text: string, bytes: number): string {
  const buffer = Buffer.from(text);
  if (buffer.length <= bytes) return text;
  const end = buffer.subarray(buffer.length - bytes);
  return end.subarray(end.indexOf(0x0a) + 1).toString();
}
