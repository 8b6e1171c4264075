// Kernel settings of the host that machines need. What they were before is kept in /run, which lasts as
// long as they do, and put back when the last cluster goes.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Files below /proc/sys and the least value that machines need. */
export const neededSettings: Readonly<Record<string, number>> = {
  "net/ipv4/ip_forward": 1,
  // Each machine's systemd takes five; the usual limit of 128 for all of root's processes ends at about 20.
  "fs/inotify/max_user_instances": 8192,
};

export interface HostSettingsOptions {
  readonly sysDirectory?: string;
  readonly recordDirectory?: string;
}

export class HostSettings {
  readonly #sys: string;
  readonly #records: string;

  constructor(options: HostSettingsOptions = {}) {
    this.#sys = options.sysDirectory ?? "/proc/sys";
    this.#records = options.recordDirectory ?? "/run/keelson/.settings";
  }

  /** Raises what is too low. Throws when the kernel does not let it. */
  async raise(): Promise<void> {
    for (const [name, least] of Object.entries(neededSettings)) {
      const file = join(this.#sys, name);
      const before = (await readFile(file, "utf8")).trim();
      if (Number(before) >= least) continue;
      const record = join(this.#records, name.replaceAll("/", "."));
      await mkdir(this.#records, { recursive: true });
      if (!existsSync(record)) await writeFile(record, before);
      await writeFile(file, String(least));
    }
  }

  /** Puts back what `raise` changed, unless somebody changed it again since. */
  async restore(): Promise<void> {
    for (const [name, least] of Object.entries(neededSettings)) {
      const record = join(this.#records, name.replaceAll("/", "."));
      if (!existsSync(record)) continue;
      const file = join(this.#sys, name);
      if (readFileSync(file, "utf8").trim() === String(least))
        await writeFile(file, await readFile(record, "utf8"));
      await rm(record);
    }
    if (existsSync(this.#records) && (await readdir(this.#records)).length === 0) await rmdir(this.#records);
  }
}
